"""Changes of related rows that are part of more documents than a page holds: a portion of these in each poll."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from syncer.core.fan_out import FanOut
from syncer.core.key import Key
from syncer.core.rounds import Rounds
from syncer.engine.origin import Origin
from syncer.ports import Clock, Lease, RelatedFeed

#: About how long a portion may take: fresh changes wait for the poll to end.
PORTION_SECONDS = 0.25
#: Of so many documents a portion is at least, and of so many batches at most, which are under way at once.
PORTION_ROWS_MIN = 10
PORTION_BATCHES_MAX = 10


class FanOuts:
    """Those of one index, the one that has waited longest first; what is left of them is kept in the state."""

    def __init__(self, feeds: Sequence[RelatedFeed], lease: Lease, clock: Clock, batch_rows: int) -> None:
        self._ways = {feed.name: feed.way for feed in feeds}
        self._feeds = {feed.way: feed for feed in feeds}
        self._lease = lease
        self._clock = clock
        self._rows_min, self._rows_max = min(PORTION_ROWS_MIN, batch_rows), PORTION_BATCHES_MAX * batch_rows
        self._rows = batch_rows // 10 + 1
        #: Another process may have left some.
        self._waiting = bool(feeds)
        self._rounds = Rounds()
        #: What the portion is of, and what is left behind it.
        self._left: dict[FanOut, FanOut | None] = {}
        #: Keys of it that are still to be delivered.
        self._portion: Sequence[Key] = ()
        #: When this poll took them; None: it has not.
        self._taken_at: float | None = None

    @property
    def waiting(self) -> bool:
        """Whether there may be more to deliver."""
        return self._waiting

    @property
    def caught_up(self) -> bool:
        """Whether each has gone round once since this began: one whose row changes all the time never ends."""
        return not self._ways or self._rounds.complete

    def portion(self) -> Sequence[Key]:
        """Return the keys to be delivered in this poll; of a portion that was put off in part, that part."""
        if not self._portion and self._waiting:
            self._read(self._lease.fan_out())
        self._taken_at = self._clock.monotonic()
        return self._portion

    def _read(self, fan_out: FanOut | None) -> None:
        self._waiting = fan_out is not None
        self._rounds.next(fan_out)
        if fan_out is None:
            return
        feed = self._feeds.get(fan_out.way)
        if feed is None:  # nothing of that table is in the documents any more
            self._left = {fan_out: None}
            return
        self._portion = feed.documents(fan_out, self._rows)
        last = self._portion[-1] if len(self._portion) == self._rows else None
        self._left = {fan_out: fan_out.advanced(last)}

    def begun_by(self, origins: Iterable[Origin]) -> Sequence[FanOut]:
        """Return the fan-outs that changes begin."""
        named = ((origin.feed, origin.change.fans_out_by) for origin in origins)
        return [FanOut(self._ways[feed], reached_by) for feed, reached_by in named if reached_by is not None]

    def fanned_out(self, put_off: Set[Key], begun: Sequence[FanOut]) -> Mapping[FanOut, FanOut | None]:
        """Return what is left behind the portion, by what it was, once all of it is delivered; else nothing.

        begun: the fan-outs that begin with this poll. The next portion is of so many documents that it takes about
        PORTION_SECONDS.
        """
        done: Mapping[FanOut, FanOut | None] = {}
        if self._taken_at is not None:
            self._measure(self._clock.monotonic() - self._taken_at)
            self._portion = [key for key in self._portion if key in put_off]
            if not self._portion:
                done, self._left = self._left, {}
        if {each.place for each in self._left} & {each.place for each in begun}:
            # What was delivered of it was so before the row changed again.
            self._portion, self._left = (), {}
        self._taken_at = None
        self._rounds.note(done, begun)
        self._waiting = self._waiting or bool(begun)
        return done

    def _measure(self, seconds: float) -> None:
        if self._portion:
            rows = int(len(self._portion) * PORTION_SECONDS / max(seconds, PORTION_SECONDS / 10))
            self._rows = max(self._rows_min, min(rows, 2 * self._rows, self._rows_max))
