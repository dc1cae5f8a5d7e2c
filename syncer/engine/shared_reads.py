"""What several pipelines of one process read alike is read once.

Pipelines over one table ask it for the same changes. Those that share a feed poll at the same ticks: the first one
observes the source, the others take what it saw, and each page that one of them has read since serves all. What a
poller concludes stays its own: each has its checkpoints, its horizon and its window.

Sound, because a poll is only ever given a page that was read after its own observation, on the same server, and that
holds what it asks for. Rejected: one reader that hands changes to all pipelines. The slowest would hold up the others,
or they would need a queue without bound.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from syncer.core.change import Page
from syncer.core.position import Position, Stretch
from syncer.core.source_state import Observation, SourceIdentity
from syncer.ports import ChangeFeed, Clock, Glance, Source

#: A poll that begins later than this after an observation makes one of its own.
YOUNG_SECONDS = 0.05
#: So long a pipeline waits for what another one reads, before it reads for itself: that one's connection may hang.
PATIENCE_SECONDS = 1.0
#: Changes that are kept of one observation, over all feeds. What is read beyond them is not kept.
KEPT_CHANGES = 20_000


@dataclass(frozen=True, slots=True)
class _Question:
    """What a page answers."""

    reads: Hashable
    start: Position
    until: datetime
    rows: int

    def covers(self, other: _Question) -> bool:
        """Tell whether an answer to this question may answer the other one too."""
        if (self.reads, self.until, self.rows) != (other.reads, other.until, other.rows):
            return False
        # Only the database knows the order of keys.
        return self.start == other.start or (other.start.key is None and self.start.watermark < other.start.watermark)

    def part_of(self, question: _Question, page: Page) -> Page | None:
        """Return what the answer to a question that covers this one tells of it; None: perhaps not all."""
        if question.start == self.start:
            return page
        if page.next is not None:
            return None
        return Page([change for change in page.changes if change.watermark >= self.start.watermark])


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """An observation of the source, and the pages that were read since."""

    observation: Observation
    #: This process's clock before and after.
    before: float
    after: float
    #: When the connection that it was made on was there.
    connected_at: float
    #: None: it could not be read.
    _pages: dict[_Question, Future[Page | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, feed: ChangeFeed, question: _Question, patience: float) -> Page:
        """Return the answer of another pipeline, or read it, and leave it to the others."""
        with self._lock:
            known = [(asked, page) for asked, page in self._pages.items() if asked.covers(question)]
            mine: Future[Page | None] | None = None
            if question not in self._pages and self._kept() < KEPT_CHANGES:
                mine = self._pages[question] = Future()
        page: Page | None = None
        try:
            for asked, under_way in known:
                if (answer := _within(patience, under_way)) and (page := question.part_of(asked, answer)):
                    return page
            page = feed.read(question.start, question.until, question.rows)
            return page
        finally:
            if mine:
                mine.set_result(page)

    def _kept(self) -> int:
        pages = [page.result() for page in self._pages.values() if page.done()]
        return sum(len(page.changes) for page in pages if page)


def _within(seconds: float, page: Future[Page | None]) -> Page | None:
    try:
        return page.result(seconds)
    except Late:
        return None


class _Server:
    """One source server in one life of it, as the pipelines of this process see it."""

    def __init__(self, began: float) -> None:
        #: By this process's clock: the ticks are so many intervals later.
        self.began = began
        self.observing = threading.Lock()
        self.latest: Sighting | None = None
        #: How many pollers read each feed.
        self.readers: Counter[Hashable] = Counter()


class SharedReads:
    """The reads of one process's pipelines over one database; for several threads."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience = patience_seconds
        self._servers: dict[SourceIdentity, _Server] = {}
        self._lock = threading.Lock()

    def join(self, source: Source, feeds: Sequence[ChangeFeed], glance: Glance, clock: Clock) -> Reads:
        """Return the reads of one poller, on its own connection. Raises like `Source.identity`."""
        asked_at = clock.monotonic()
        identity = source.identity()
        with self._lock:
            server = self._servers.setdefault(identity, _Server(clock.monotonic()))
            server.readers.update(feed.reads for feed in feeds)
        return Reads(server, source, feeds, glance, clock, self._patience, asked_at, lambda: self._leave(server, feeds))

    def _leave(self, server: _Server, feeds: Sequence[ChangeFeed]) -> None:
        with self._lock:
            server.readers.subtract(feed.reads for feed in feeds)
            self._servers = {identity: each for identity, each in self._servers.items() if +each.readers}


class Reads:
    """What one poller reads of its feeds; not for several threads."""

    def __init__(
        self,
        server: _Server,
        source: Source,
        feeds: Sequence[ChangeFeed],
        glance: Glance,
        clock: Clock,
        patience: float,
        asked_at: float,
        leave: Callable[[], None],
    ) -> None:
        """asked_at: when the connection was last asked something that it has answered."""
        self._server = server
        self._source = source
        self._feeds = feeds
        self._glance = glance
        self._clock = clock
        self._patience = patience
        self._leave = leave
        self._sighting: Sighting | None = None
        # What was seen before it began to poll may be older than the checkpoints that it began with.
        self._seen_at = self._connected_at = clock.monotonic()
        self._asked_at = asked_at

    def observe(self, after: float = -math.inf) -> Sighting:
        """Return what is seen of the source, later each time, and not before a time on the monotonic scale.

        Raises like `Source.observe`.
        """
        self._sighting = self._shared(after) if self._shares_any else self._observe()
        self._seen_at = self._sighting.after
        return self._sighting

    def any_change(self, stretches: Mapping[str, Stretch]) -> bool:
        """Tell whether there may be anything to read after the last sighting. Raises like `Glance.any_change`.

        What pipelines share is read: a page of each feed serves all of them, a glance one.
        """
        return self._shares_any or self._glance.any_change(stretches)

    def read(self, feed: ChangeFeed, start: Position, until: datetime, rows: int) -> Page:
        """Return a page that was read after the last sighting. Raises like `ChangeFeed.read`."""
        if self._sighting is None or not self._shares(feed):
            return feed.read(start, until, rows)
        return self._sighting.read(feed, _Question(feed.reads, start, until, rows), self._patience)

    def rest(self, interval: float) -> float:
        """Return how long to wait until the next poll: where feeds are shared, to the tick that others wait for too."""
        if not interval or not self._shares_any:
            return interval
        return interval - (self._clock.monotonic() - self._server.began) % interval

    def close(self) -> None:
        """Read no more."""
        self._leave()

    def _shared(self, after: float) -> Sighting:
        with self._turn() as ours:
            latest = self._server.latest
            if latest and latest.before >= after and self._may_take(latest):
                return latest
            sighting = self._observe()
            if ours:
                self._server.latest = sighting
            return sighting

    def _observe(self) -> Sighting:
        before = self._clock.monotonic()
        observation = self._source.observe()
        self._asked_at = before
        return Sighting(observation, before, self._clock.monotonic(), self._connected_at)

    def _may_take(self, sighting: Sighting) -> bool:
        """Tell whether it is younger than what was seen last, and made on a connection that was there already when this
        one last answered.

        Else the server may have crashed in between, and this connection with it: what the poller has learnt of open
        transactions, which a crash renames, would not be forgotten.
        """
        young = self._clock.monotonic() - sighting.before <= YOUNG_SECONDS
        return young and sighting.before > self._seen_at and sighting.connected_at < self._asked_at

    def _shares(self, feed: ChangeFeed) -> bool:
        return self._server.readers[feed.reads] > 1

    @property
    def _shares_any(self) -> bool:
        return any(self._shares(feed) for feed in self._feeds)

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Wait until nobody else observes; False: that takes too long."""
        ours = self._server.observing.acquire(timeout=self._patience)
        try:
            yield ours
        finally:
            if ours:
                self._server.observing.release()
