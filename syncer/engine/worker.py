"""Follow one pipeline: hold its lease, load its index if need be, poll until told to stop."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace

from syncer.core.error import LeaseHeld, LeaseLost, Paused, SinkUnavailable, TransientError
from syncer.core.report import Report
from syncer.core.retry import backoff_seconds
from syncer.engine.attach import Attached, attach, prove_not_paused, register
from syncer.engine.deliver import Draw
from syncer.engine.events import Events
from syncer.engine.insist import ATTEMPTS_MAX
from syncer.engine.pipeline import Pipeline, Reader
from syncer.engine.poll import Polled, Poller
from syncer.engine.reconciler import reconcile_truncated
from syncer.engine.share import Share
from syncer.engine.source_clocks import SourceClocks
from syncer.engine.upkeep import Upkeep
from syncer.ports import Lease

#: How often a standby asks for the lease.
STANDBY_SECONDS = 2.0
#: How long a worker that met trouble asks nobody to hand a pipeline over to it: where the others fare better, it would
#: take it from them again and again.
MODEST_SECONDS = 600.0


@dataclass(slots=True)
class Worker:
    """One pipeline in one process; not for several threads."""

    pipeline: Pipeline
    events: Events
    clocks: SourceClocks = field(default_factory=SourceClocks)
    #: Of all workers of the process.
    share: Share = field(default_factory=Share)

    def run(self) -> None:
        """Follow until the process is asked to stop; stands by while another process holds the lease, or it is paused.

        Transient errors and a lost lease are waited out, and everything in memory is forgotten then: the committed
        checkpoints are the only truth. Raises ConfigurationError and FatalError.
        """
        clock, attempt = self.pipeline.clock, 0
        modest_until = clock.monotonic()
        while not clock.stopping():
            try:
                for _ in self.session(asks=clock.monotonic() >= modest_until):
                    attempt = 0
            except (LeaseHeld, Paused) as held:
                self.events.standing_by(held)
                clock.wait(STANDBY_SECONDS)
            except (LeaseLost, TransientError) as error:
                attempt += 1
                modest_until = clock.monotonic() + MODEST_SECONDS
                asked = error.retry_after if isinstance(error, TransientError) else None
                seconds = backoff_seconds(attempt, random.random, asked)
                self.events.backing_off(error, attempt, seconds)
                clock.wait(seconds)

    def run_once(self) -> Report:
        """Load if need be, deliver all that is committed by now, and return.

        Raises LeaseHeld where another process follows the pipeline, and Paused; transient errors too, at once, and
        SinkUnavailable where Elasticsearch does nothing but put off for ATTEMPTS_MAX polls.
        """
        report, in_vain = Report(), 0
        with closing(self.session()) as session:
            for polled in session:
                report += polled.report
                if polled.caught_up:
                    break
                in_vain = in_vain + 1 if polled.deferred and not polled.report.written else 0
                if in_vain >= ATTEMPTS_MAX:
                    raise SinkUnavailable(f"Elasticsearch puts off {polled.deferred} documents, again and again")
        reconcile_truncated(self.pipeline, self.events)
        return report

    def session(self, *, asks: bool = False) -> Generator[Polled, None, None]:
        """Hold the lease and poll; yields each settled poll, the first one with the load's report added.

        asks: let other processes know where this one waits for the lease.
        Closing it gives the lease back. Any error ends it: whoever goes on begins another one.
        """
        pipeline, clock = self.pipeline, self.pipeline.clock
        prove_not_paused(pipeline)
        record = register(pipeline)
        with ExitStack() as held:
            lease = held.enter_context(self.share.lease(pipeline, record.name, asks=asks))
            reader = pipeline.reader()
            held.callback(reader.close)
            attached = attach(pipeline, reader, lease, self.clocks, self.events)
            if not attached.complete:
                yield Polled(attached.loaded, more=True)
                return
            poller, loaded = self._poller(reader, lease, attached), attached.loaded
            upkeep = Upkeep(pipeline, reader, attached.record, self.events)
            held.callback(upkeep.close)
            put_off = 0
            while not clock.stopping():
                started = clock.monotonic()
                polled = poller.poll()
                self.events.polled(polled, clock.monotonic() - started)
                yield replace(polled, report=polled.report + loaded)
                loaded = Report()
                put_off = put_off + 1 if polled.deferred else 0
                if put_off:
                    clock.wait(backoff_seconds(put_off, random.random, polled.retry_after))
                elif not polled.more:
                    clock.wait(pipeline.limits.interval_seconds)
                upkeep.between_polls(polled)
                self.share.prove_fair(pipeline)

    def _poller(self, reader: Reader, lease: Lease, attached: Attached) -> Poller:
        pipeline, index = self.pipeline, attached.record.name
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
            self.clocks,
            pipeline.limits.poll,
            pipeline.budget,
            pipeline.pacing,
            attached.delivered,
            due=lambda most: pipeline.store.passing_letters(index, pipeline.clock.now(), most),
        )
