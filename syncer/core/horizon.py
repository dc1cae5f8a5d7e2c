"""How far back a poll must read, and how far its checkpoint may follow.

`now()` is a transaction's start, and its rows appear at its commit: perhaps *below* the greatest watermark already
read. A plain `updated_at > last` poller loses those rows. So each poll lists the open transactions, and keeps for each
of them `low`: a time below which it can have stamped no row.

    ──────────settled──────────┬───────────read already, may still be joined by late rows───────┬──▶ watermark
                          checkpoint                                                             t
                        = least(t, lows)                                     = the source's clock less the margin

A row is read as soon as it is visible, wherever it lies; only the checkpoint waits. When a transaction ends, the next
poll reads once more from its `low`. A transaction left open for an hour costs nothing until it ends, then one rescan.

Rejected: `max(updated_at)` as the cursor (loses late commits); a fixed overlap (loses commits later than the overlap);
the xmin horizon of a snapshot (held back by every reader, and unknown to a poller that may only SELECT).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from syncer.core.position import Position, earlier

NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class Scan:
    """One poll of one feed: from where it reads, and what is known once it has settled."""

    start: Position
    #: The source's clock when the poll listed the open transactions, less the margin.
    t: datetime
    #: Nothing above it is read, so that the poll of a table that changes as it is read ends.
    until: datetime
    #: By transaction: no row of it is stamped below.
    low: Mapping[str, datetime]
    #: Those that were prepared already when they were first seen.
    prepared: Set[str] = frozenset()

    def checkpoint(self, reached: Position | None = None) -> Position:
        """Return the position below which nothing can appear any more; `reached` where the poll ended early."""
        position = reached.not_above(self.t) if reached else Position(self.t)
        for low in self.low.values():
            position = position.not_above(low)
        return position

    def settled(self, reached: Position | None = None) -> Horizon:
        """Return what the next poll starts from. Only for a poll that has settled all it read."""
        return Horizon(reached.not_above(self.t) if reached else Position(self.t), self.t, self.low, self.prepared)


@dataclass(frozen=True, slots=True)
class Horizon:
    """What one feed may still see appear. Belongs to one feed on one connection; changes only when a poll settles."""

    #: Everything visible below it was settled by the last poll.
    reached: Position
    #: `t` of the last settled poll: a transaction that was not open then stamps nothing below it.
    listed: datetime
    low: Mapping[str, datetime] = field(default_factory=dict)
    #: Those that were prepared already when they were first seen.
    prepared: Set[str] = frozenset()

    @classmethod
    def at(cls, checkpoint: Position) -> Horizon:
        """Return what a new connection knows: nothing but the checkpoint."""
        return cls(checkpoint, checkpoint.watermark)

    def begin(
        self,
        t: datetime,
        open_since: Mapping[str, datetime | None],
        margin: timedelta = NO_TIME,
        slip: timedelta = NO_TIME,
        prepared: Set[str] = frozenset(),
    ) -> Scan:
        """Plan a poll whose clock, less the margin, says `t`, and which has then listed the open transactions.

        open_since: their start times where visible; they can be older than the listing suggests, when one message holds
        two transactions. slip: how much less than the poller's own clock the source's clock has advanced since the last
        settled poll. Then its clock was set back, and what was stamped since may lie as far below `listed`; what was
        stamped before keeps its bound. So everything known is lowered to `listed - slip`, and nothing below that is.

        prepared: the start of these is hidden from everybody, and their session may have gone on to other things. One
        that is new may have shared a message, and so its stamp, with any of those that ended since: it is as old as the
        oldest of them. (Not as old as one that was itself found prepared: where there always is one, no checkpoint
        would ever move.)
        """
        listed = min(earlier(self.listed, slip), t)
        reached = self.reached.not_above(listed)
        known = {name: min(low, listed) for name, low in self.low.items()}
        start, eldest = reached, listed
        for name, low in known.items():
            if name not in open_since:
                start = start.not_above(low)
                eldest = eldest if name in self.prepared else min(eldest, low)
        found = prepared - known.keys()
        lows = {
            name: known[name]
            if name in known
            else min(eldest if name in found else listed, earlier(since, margin) if since else listed)
            for name, since in open_since.items()
        }
        # The slip again: what was stamped just before the clock was set back, and not read yet, now lies in the future.
        return Scan(start, t, t + 2 * margin + slip, lows, found | (self.prepared & open_since.keys()))
