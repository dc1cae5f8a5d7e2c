"""Polls one index for as long as its lease is held, with the chores between."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator

from syncer.core.retry import backoff_seconds
from syncer.engine.attach import Attached
from syncer.engine.deliver import Draw
from syncer.engine.events import Events
from syncer.engine.pipeline import Pipeline, Reader
from syncer.engine.poll import Poller
from syncer.engine.polled import Polled
from syncer.engine.source_clocks import SourceClocks
from syncer.engine.telemetry import Step
from syncer.engine.upkeep import ASK_SECONDS, Upkeep
from syncer.ports import Lease

#: The least pause after a poll: so much of its time a busy table leaves to others.
LEAST_SECONDS = 0.025


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
        *,
        yields: bool = True,
    ) -> None:
        """prove: called after each poll; what it raises ends the polling.

        yields: the lease, to who wants it for a swap.
        """
        self._pipeline = pipeline
        self._events = events
        self._upkeep = Upkeep(pipeline, reader, lease, attached.record, events, yields=yields)
        self._poller = _poller(pipeline, reader, lease, attached, clocks, self._upkeep.wanted)
        self._prove = prove
        self._alarm = pipeline.clock.alarm()
        if pipeline.wakeups:
            pipeline.wakeups.begin(self._alarm)

    def polls(self) -> Generator[Polled, None, None]:
        """Poll until told to stop; yields each settled poll. Any error ends it, and this object."""
        pipeline, clock = self._pipeline, self._pipeline.clock
        put_off = 0
        while not clock.stopping():
            started = clock.monotonic()
            with pipeline.telemetry.step(Step.POLL):
                polled = self._poller.poll(self._alarm.rung_at)
            self._events.polled(polled, clock.monotonic() - started)
            yield polled
            put_off = put_off + 1 if polled.deferred else 0
            if put_off:
                # Not to be ended by a wakeup: it is what Elasticsearch asks for.
                self._pause(backoff_seconds(put_off, random.random, polled.retry_after), clock.wait)
            elif not polled.more and not polled.fanning_out:
                self._rest(self._poller.rest(pipeline.limits.interval_seconds))
            self._upkeep.between_polls(polled)
            self._prove()

    def _rest(self, seconds: float) -> None:
        """Wait for the time of the next poll, or for word that it would find something."""
        if self._pipeline.wakeups:
            least = min(seconds, LEAST_SECONDS)
            self._pipeline.clock.wait(least)
            seconds -= least
        self._pause(seconds, self._alarm.wait)

    def _pause(self, seconds: float, wait: Callable[[float], bool]) -> None:
        """Wait; however long it is, a pause of the pipeline and a swap need not."""
        clock = self._pipeline.clock
        until = clock.monotonic() + seconds
        while (left := until - clock.monotonic()) > 0 and not wait(min(left, ASK_SECONDS)):
            self._upkeep.heed()

    def close(self) -> None:
        """End what goes on beside the polls. Never raises."""
        if self._pipeline.wakeups:
            self._pipeline.wakeups.end(self._alarm)
        self._poller.close()
        self._upkeep.close()


def _poller(
    pipeline: Pipeline,
    reader: Reader,
    lease: Lease,
    attached: Attached,
    clocks: SourceClocks,
    wanted: Callable[[], bool],
) -> Poller:
    index = attached.record.name
    delivery = pipeline.delivery(
        reader.documents,
        index,
        lease,
        draw=Draw.AFTER_HYDRATION,
        recheck_created=False,
        prove=lease.prove,
    )
    checkpoints = lease.checkpoints()
    return Poller(
        reader.feeds,
        # After all that may fail, for it is to be closed.
        pipeline.shared_reads.join(reader.source, reader.feeds, reader.glance, pipeline.clock),
        delivery,
        lease,
        checkpoints,
        pipeline.clock,
        clocks,
        pipeline.limits.poll,
        pipeline.budget,
        pipeline.pacing,
        pipeline.telemetry,
        attached.delivered,
        due=lambda most: pipeline.store.passing_letters(index, pipeline.clock.now(), most),
        wanted=wanted,
        related=reader.related,
    )
