"""Polls one index for as long as its lease is held, with the chores between."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator

from syncer.core.report import Report
from syncer.core.retry import backoff_seconds
from syncer.engine.attach import Attached
from syncer.engine.deliver import Draw
from syncer.engine.events import Events
from syncer.engine.pipeline import Pipeline, Reader
from syncer.engine.poll import Polled, Poller
from syncer.engine.source_clocks import SourceClocks
from syncer.engine.upkeep import Upkeep
from syncer.ports import Lease


class Following:
    """One index, attached; not for several threads."""

    def __init__(
        self,
        pipeline: Pipeline,
        reader: Reader,
        lease: Lease,
        attached: Attached,
        clocks: SourceClocks,
        events: Events,
        prove: Callable[[], None] = lambda: None,
    ) -> None:
        """prove: called after each poll; what it raises ends the polling."""
        self._pipeline = pipeline
        self._events = events
        self._poller = _poller(pipeline, reader, lease, attached, clocks)
        self._upkeep = Upkeep(pipeline, reader, lease, attached.record, events)
        self._prove = prove

    def polls(self) -> Generator[Polled, None, None]:
        """Poll until told to stop; yields each settled poll. Any error ends it, and this object."""
        pipeline, clock = self._pipeline, self._pipeline.clock
        put_off = 0
        while not clock.stopping():
            started = clock.monotonic()
            polled = self._poller.poll()
            self._events.polled(polled, clock.monotonic() - started)
            yield polled
            put_off = put_off + 1 if polled.deferred else 0
            if put_off:
                clock.wait(backoff_seconds(put_off, random.random, polled.retry_after))
            elif not polled.more:
                clock.wait(pipeline.limits.interval_seconds)
            self._upkeep.between_polls(polled)
            self._prove()

    def catch_up(self, polls: Generator[Polled, None, None]) -> tuple[Report, bool]:
        """Poll until all that is committed is delivered; tell whether it came to that."""
        report = Report()
        for polled in polls:
            report += polled.report
            if polled.caught_up:
                return report, True
        return report, False

    def close(self) -> None:
        """End what goes on beside the polls. Never raises."""
        self._upkeep.close()


def _poller(pipeline: Pipeline, reader: Reader, lease: Lease, attached: Attached, clocks: SourceClocks) -> Poller:
    index = attached.record.name
    delivery = pipeline.delivery(
        reader.documents,
        index,
        lease,
        draw=Draw.AFTER_HYDRATION,
        recheck_created=False,
        prove=lease.prove,
    )
    return Poller(
        reader.feeds,
        reader.source,
        delivery,
        lease,
        pipeline.clock,
        clocks,
        pipeline.limits.poll,
        pipeline.budget,
        pipeline.pacing,
        attached.delivered,
        due=lambda most: pipeline.store.passing_letters(index, pipeline.clock.now(), most),
    )
