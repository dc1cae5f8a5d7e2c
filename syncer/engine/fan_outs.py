"""The documents of related rows that are part of more of them than a page holds: a portion in each poll."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from syncer.core.fan_out import FanOut
from syncer.core.key import Key
from syncer.ports import Clock, Lease, RelatedFeed

#: About how long a portion may take: fresh changes wait for the poll to end.
PORTION_SECONDS = 0.5
#: Of so many documents a portion is at least, and of so many batches at most, which are under way at once.
PORTION_ROWS_MIN = 10
PORTION_BATCHES_MAX = 10


class FanOuts:
    """Those of one index, the one that has waited longest first; what is left of them is kept in the state."""

    def __init__(self, feeds: Sequence[RelatedFeed], lease: Lease, clock: Clock, batch_rows: int) -> None:
        self._feeds = {feed.name: feed for feed in feeds}
        self._lease = lease
        self._clock = clock
        self._rows_min, self._rows_max = min(PORTION_ROWS_MIN, batch_rows), PORTION_BATCHES_MAX * batch_rows
        self._rows = batch_rows // 10 + 1
        #: Another process may have left some.
        self._waiting = bool(feeds)
        self._begun_at = 0.0
        self._portion: Sequence[Key] = ()
        self._left: Mapping[FanOut, FanOut | None] = {}

    @property
    def waiting(self) -> bool:
        """Whether there may be more."""
        return self._waiting

    def portion(self) -> Sequence[Key]:
        """Return the keys to be delivered in this poll."""
        fan_out = self._lease.fan_out() if self._waiting else None
        self._waiting = fan_out is not None
        if fan_out is None:
            return ()
        self._begun_at = self._clock.monotonic()
        feed = self._feeds.get(fan_out.feed)
        if feed is None:  # nothing of that table is in the documents any more
            self._left = {fan_out: None}
            return ()
        self._portion = feed.documents(fan_out, self._rows)
        last = self._portion[-1] if len(self._portion) == self._rows else None
        self._left = {fan_out: fan_out.advanced(last)}
        return self._portion

    def settled(self, put_off: Set[Key], begun: Sequence[FanOut]) -> Mapping[FanOut, FanOut | None]:
        """Return what is left behind the portion, by what it was; of one with documents that were put off, nothing is.

        The next portion is of so many documents that it takes about PORTION_SECONDS.
        """
        left = self._left if put_off.isdisjoint(self._portion) else {}
        if self._portion:
            took = max(self._clock.monotonic() - self._begun_at, PORTION_SECONDS / 10)
            rows = int(self._rows * PORTION_SECONDS / took)
            self._rows = max(self._rows_min, min(rows, 2 * self._rows, self._rows_max))
        self._waiting = self._waiting or bool(begun)
        self._portion, self._left = (), {}
        return left
