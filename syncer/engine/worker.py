"""Follow one index of a pipeline: hold its lease, load it if need be, poll until told to stop."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace

from syncer.core.course import Course
from syncer.core.definition import changes
from syncer.core.error import LeaseHeld, LeaseLost, Paused, SinkUnavailable, TransientError
from syncer.core.index import IndexRecord, Phase
from syncer.core.report import Report
from syncer.core.retry import backoff_seconds
from syncer.core.run import RunJob
from syncer.engine.attach import attach, current, is_beside, register
from syncer.engine.course import course_of, prove_fingerprint
from syncer.engine.events import Events
from syncer.engine.fill import fill_added
from syncer.engine.following import Following
from syncer.engine.insist import ATTEMPTS_MAX
from syncer.engine.persevere import persevere
from syncer.engine.pipeline import Pipeline
from syncer.engine.polled import Polled
from syncer.engine.rebuild import Rebuilt, prove_unbuilt, rebuild
from syncer.engine.reconciler import reconcile_asked
from syncer.engine.share import Share
from syncer.engine.source_clocks import SourceClocks
from syncer.engine.upkeep import prove_not_claimed
from syncer.ports import Lease

#: How often a standby asks for the lease.
STANDBY_SECONDS = 2.0
#: How long a worker that met trouble asks nobody to hand a pipeline over to it: where the others fare better, it would
#: take it from them again and again.
MODEST_SECONDS = 600.0


@dataclass(slots=True)
class Worker:
    """One index in one process; not for several threads."""

    pipeline: Pipeline
    events: Events
    clocks: SourceClocks = field(default_factory=SourceClocks)
    #: Of all workers of the process.
    share: Share = field(default_factory=Share)
    #: An index beside the live one, to be followed in its place for as long as it is beside it.
    index: str | None = None

    def run(self) -> None:
        """Follow until the process is asked to stop; stands by while another process holds the lease, or it is paused.

        Transient errors and a lost lease are waited out, and everything in memory is forgotten then: the committed
        checkpoints are the only truth. Raises ConfigurationError and FatalError.
        """
        try:
            self._run()
        finally:
            # Others would leave the pipeline to a process that waits no longer.
            self.share.withdraw(self.pipeline)

    def _run(self) -> None:
        clock, attempt = self.pipeline.clock, 0
        modest_until = clock.monotonic()
        while not clock.stopping():
            try:
                for _ in self.session(asks=clock.monotonic() >= modest_until):
                    attempt = 0
                if self.index is not None:
                    return
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
        with closing(self.session(once=True)) as session:
            for polled in session:
                report += polled.report
                if polled.caught_up:
                    break
                in_vain = in_vain + 1 if polled.deferred and not polled.report.written else 0
                if in_vain >= ATTEMPTS_MAX:
                    raise SinkUnavailable(
                        f"Elasticsearch puts off {polled.deferred} documents, again and again: {polled.deferred_reason}"
                    )
        record = self.pipeline.store.index(self.pipeline.name)
        if record is not None:
            reconcile_asked(self.pipeline, record.name, self.events)
        return report

    def session(self, *, asks: bool = False, once: bool = False) -> Generator[Polled, None, None]:
        """Hold the lease and poll; yields each settled poll, the first one with the load's report added.

        asks: let other processes know where this one waits for the lease. once: fill added fields before the first
        poll, not beside the polls.
        Closing it gives the lease back. Any error ends it: whoever goes on begins another one.
        """
        pipeline = self.pipeline
        pipeline.prove_not_paused()
        record, loaded = self._record(), Report()
        if record is None:
            return
        taken = course_of(pipeline, record)
        if taken is Course.REBUILD and self.index is None:
            rebuilt = self._rebuild()
            if not rebuilt.complete:
                yield Polled(rebuilt.report, more=True)
                return
            record, loaded = register(pipeline), rebuilt.report
        elif record.phase is not Phase.PUBLISHING and taken not in {Course.FOLLOW, Course.GROW}:
            # Before the lease is asked for: others would hand it over to a process that cannot follow.
            prove_fingerprint(pipeline, record)
        prove_not_claimed(pipeline, record.name)
        with ExitStack() as held:
            lease = held.enter_context(self._lease(record, asks=asks))
            self._prove_role(lease)
            reader = pipeline.reader()
            held.callback(reader.close)
            attached = attach(pipeline, reader, lease, self.clocks, self.events)
            loaded += attached.loaded
            if not attached.complete:
                yield Polled(loaded, more=True)
                return
            if once:
                fill_added(pipeline, lease, self.events)
            following = Following(
                pipeline,
                reader,
                lease,
                attached,
                self.clocks,
                self.events,
                prove=lambda: self.share.prove_fair(pipeline) if self.index is None else None,
            )
            held.callback(following.close)
            with closing(following.polls()) as polls:
                for polled in polls:
                    yield replace(polled, report=polled.report + loaded)
                    loaded = Report()

    def _rebuild(self) -> Rebuilt:
        """Replace an index of another configuration. Raises LeaseHeld while, or just after, somebody else does."""
        pipeline = self.pipeline
        # Before it is in the history: who stands by asks every few seconds.
        prove_unbuilt(pipeline)
        with pipeline.recorded(RunJob.REBUILD) as ended:
            record = register(pipeline)
            if course_of(pipeline, record) is not Course.REBUILD:
                raise LeaseHeld(f"index {record.name} was put in its place by another process meanwhile")
            differences = changes(record, pipeline.fingerprint, pipeline.definition)
            self.events.replacing(record, differences)
            rebuilt = persevere(pipeline, self.events, lambda _begun: rebuild(pipeline, self.events))
            detail = {"index": rebuilt.index, "replaced": rebuilt.old, "changes": differences}
            ended(rebuilt.complete, rebuilt.report, detail)
        return rebuilt

    def _record(self) -> IndexRecord | None:
        """Return the record of the index to follow; None: it is not beside the live one any more."""
        if self.index is None:
            return register(self.pipeline)
        record = self.pipeline.store.named(self.index)
        return record if record is not None and is_beside(record) else None

    def _prove_role(self, lease: Lease) -> None:
        """Raise LeaseHeld where the index was swapped between the look at it and the lease."""
        record = current(self.pipeline, lease)
        if not (record.followed if self.index is None else is_beside(record)):
            raise LeaseHeld(f"index {record.name} was swapped by another process meanwhile")

    @contextmanager
    def _lease(self, record: IndexRecord, *, asks: bool) -> Iterator[Lease]:
        if self.index is None:
            with self.share.lease(self.pipeline, record.name, asks=asks) as lease:
                yield lease
            return
        # Not counted among the pipelines that are shared out, for wherever it is followed is as good.
        lease = self.pipeline.store.acquire(record.name)
        try:
            yield lease
        finally:
            lease.release()
