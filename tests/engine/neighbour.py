"""Another pipeline of the same process over the same table, of which the reads alone matter."""

from __future__ import annotations

from syncer.core.horizon import Horizon
from syncer.core.position import START
from syncer.engine.shared_reads import SharedReads
from tests.builders import World


class Neighbour:
    """Polls like a `Poller`, and delivers nothing."""

    def __init__(self, world: World, shared_reads: SharedReads) -> None:
        self._world = world
        self._reader = world.pipeline.reader()
        self._reads = shared_reads.join(self._reader.source, self._reader.feeds, self._reader.glance, world.clock)
        self._horizons = {feed.name: Horizon.at(START) for feed in self._reader.feeds}

    def poll(self) -> None:
        """Observe, and read every feed to its end."""
        of = self._world.pipeline.limits.poll
        seen = self._reads.observe().observation
        for feed in self._reader.feeds:
            scan = self._horizons[feed.name].begin(seen.clock - of.margin, seen.open_since, of.margin)
            start = scan.start
            while (page := self._reads.read(feed, start, scan.until, of.batch_rows)).next is not None:
                start = page.next
            self._horizons[feed.name] = scan.settled()
