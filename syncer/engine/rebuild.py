"""Build an index beside the one that is searched, prove that it equals the table, and let it take its place.

    create ──▶ load ──▶ poll it, while the old one is followed on ──▶ settings for searches ──▶ compare ──▶ swap

Each step is in the state, so that whoever goes on after a kill begins with the one that was under way.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

from syncer.core.definition import changes
from syncer.core.error import ConfigurationError, FatalError, FingerprintMismatch, LeaseHeld
from syncer.core.fingerprint import differences
from syncer.core.index import IndexRecord, Phase, Role
from syncer.core.report import Report
from syncer.engine.attach import attach, current, kept_of_this, new_record, prove_fingerprint
from syncer.engine.events import Events
from syncer.engine.following import Following
from syncer.engine.insist import Stopped
from syncer.engine.pipeline import Pipeline
from syncer.engine.poll import Polled
from syncer.engine.publish import finish_publishing, wait_for_shards
from syncer.engine.retention import discard, retire
from syncer.engine.source_clocks import SourceClocks
from syncer.engine.swap import HandedOver, handed_over, swap
from syncer.engine.verify import Verification, Verified


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of an index that was to be searched."""

    index: str
    phase: Phase
    report: Report = field(default_factory=Report)
    verified: Verified | None = None
    #: False when the process was asked to stop on the way.
    complete: bool = True
    #: The index that was searched before.
    old: str | None = None


def rebuild(
    pipeline: Pipeline,
    events: Events,
    *,
    swaps: bool = True,
    restart: bool = False,
    take_over: bool = False,
    workers: int = 1,
) -> Rebuilt:
    """Build an index from the configuration and let it take the place of the live one; goes on with an unfinished one.

    swaps: else it waits, READY, to be promoted. restart: an unfinished one is deleted. take_over: see
    `Indices.publish`. workers: connections to the source.
    Raises LeaseHeld where another rebuild is under way, Paused, FatalError where the new index does not become equal to
    the table, and what loading and polling raise.
    """
    pipeline.prove_not_paused()
    live = pipeline.store.index(pipeline.name)
    if live is not None and live.phase is Phase.PUBLISHING:
        _finish_swap(pipeline, live, events, take_over=take_over)
        if not differences(live.fingerprint, pipeline.fingerprint):
            return Rebuilt(live.name, Phase.LIVE)
    if not swaps and (live is None or live.phase is not Phase.LIVE):
        raise ConfigurationError(
            f"pipeline {pipeline.name!r} has no index yet that a new one could wait beside",
            hint=f"load it: syncer run {pipeline.name}",
        )
    if not take_over:
        # Before hours of loading, not after them.
        pipeline.indices.prove_alias(pipeline.alias, pipeline.name)
    record = _unfinished(pipeline, events, restart=restart) or pipeline.store.register(
        new_record(pipeline, followed=live is None)
    )
    with _held(pipeline, record) as held:
        return _Succession(pipeline, events, held, workers).run(swaps=swaps, take_over=take_over)


def promote(pipeline: Pipeline, events: Events, *, take_over: bool = False) -> Rebuilt:
    """Let the index take its place that a rebuild has left waiting; with none, point the alias to the live index.

    Raises ConfigurationError where there is neither, FingerprintMismatch, LeaseHeld, and Paused.
    """
    pipeline.prove_not_paused()
    waiting = _of_role(pipeline, Role.BUILDING)
    if waiting is not None and waiting.phase is Phase.READY:
        prove_fingerprint(pipeline, waiting)
        with handed_over(pipeline, waiting.name) as held:
            return _Succession(pipeline, events, held).run(swaps=True, take_over=take_over)
    live = pipeline.store.index(pipeline.name)
    if live is None or live.phase not in {Phase.PUBLISHING, Phase.LIVE}:
        raise ConfigurationError(
            f"no index of pipeline {pipeline.name!r} waits to be promoted",
            hint=f"build one: syncer rebuild {pipeline.name} --no-swap",
        )
    _finish_swap(pipeline, live, events, take_over=take_over)
    return Rebuilt(live.name, Phase.LIVE)


def rollback(pipeline: Pipeline, events: Events, *, take_over: bool = False) -> Rebuilt:
    """Let the index that was kept last take the place of the live one, once it holds all that is committed.

    It is compared with the table first, unless it was followed until now. Raises ConfigurationError where none is kept,
    FingerprintMismatch where none was built from this configuration, LeaseHeld, and Paused.
    """
    pipeline.prove_not_paused()
    kept = kept_of_this(pipeline)
    if kept is None:
        other = _of_role(pipeline, Role.KEPT)
        if other is not None:
            raise FingerprintMismatch(
                f"index {other.name} was built from another configuration of pipeline {pipeline.name!r}: "
                f"{'; '.join(changes(other, pipeline.fingerprint, pipeline.definition))}",
                hint="put that configuration back, then roll back",
            )
        raise ConfigurationError(
            f"no index of pipeline {pipeline.name!r} is kept that could be rolled back to",
            hint=f"see what there is: syncer indices {pipeline.name}",
        )
    with handed_over(pipeline, kept.name) as held:
        return _Succession(pipeline, events, held).run(swaps=True, take_over=take_over)


class _Succession:
    """One index on its way to the alias, whose lease is held."""

    def __init__(self, pipeline: Pipeline, events: Events, held: HandedOver, workers: int = 1) -> None:
        self._pipeline = pipeline
        self._events = events
        self._lease = held.lease
        self._was_held = held.was_held
        self._workers = workers
        self._report = Report()
        self._verified: Verified | None = None

    def run(self, *, swaps: bool, take_over: bool) -> Rebuilt:
        """Go through the steps that are left."""
        live = self._pipeline.store.index(self._pipeline.name)
        old = live.name if live is not None and live.name != self._lease.index else None
        try:
            complete = self._steps(swaps=swaps, take_over=take_over)
        except Stopped:
            complete = False
        record = current(self._pipeline, self._lease)
        return Rebuilt(record.name, record.phase, self._report, self._verified, complete, old)

    def _steps(self, *, swaps: bool, take_over: bool) -> bool:
        pipeline, events, lease = self._pipeline, self._events, self._lease
        clocks = SourceClocks()
        with ExitStack() as held:
            reader = pipeline.reader()
            held.callback(reader.close)
            proved = self._is_proved()
            events.building(current(pipeline, lease))
            attached = attach(pipeline, reader, lease, clocks, events, workers=self._workers, publishes=False)
            self._report += attached.loaded
            if not attached.complete:
                return False
            following = Following(pipeline, reader, lease, attached, clocks, events)
            held.callback(following.close)
            polls = held.enter_context(closing(following.polls()))
            self._catch_up(polls)
            if not proved and not self._make_ready(polls):
                return False
            if swaps:
                swap(pipeline, lease, events, lambda: self._catch_up(polls), take_over=take_over)
        if swaps:
            retire(pipeline, events)
        return True

    def _make_ready(self, polls: Generator[Polled, None, None]) -> bool:
        """Give the index the settings for searches, and prove that it equals the table."""
        pipeline, events, lease = self._pipeline, self._events, self._lease
        events.building(current(pipeline, lease))
        if not wait_for_shards(pipeline, lease.index, events):
            return False
        self._catch_up(polls)
        self._prove_equal(polls)
        if current(pipeline, lease).role is not Role.KEPT:
            lease.update(phase=Phase.READY)
            events.building(current(pipeline, lease))
        return True

    def _prove_equal(self, polls: Generator[Polled, None, None]) -> None:
        """Compare the index with the table and mend what differs, polling wherever the comparison waits."""
        pipeline = self._pipeline
        record = current(pipeline, self._lease)
        with closing(pipeline.sides(record.name)) as sides:
            verification = Verification(
                pipeline,
                sides,
                record,
                repair=True,
                wait=lambda seconds: self._poll_for(polls, seconds),
                on_progress=self._events.comparing,
            )
            verified = self._verified = verification.run()
        if not verified.complete:
            raise Stopped
        if verified.unexplained:
            raise FatalError(
                f"index {record.name} differs from its table in {verified.unexplained} rows after it was built: "
                f"{', '.join(sorted({id_ for ids in verified.samples.values() for id_ in ids})[:5])}; "
                "it was not put in place",
                hint=f"compare it again: syncer rebuild {pipeline.name}; or begin anew with --restart",
            )

    def _poll_for(self, polls: Generator[Polled, None, None], seconds: float) -> bool:
        """Poll for about so long, and to the end of what is committed; True when told to stop."""
        clock = self._pipeline.clock
        until = clock.monotonic() + seconds
        for polled in polls:
            self._report += polled.report
            if polled.caught_up and clock.monotonic() >= until:
                return False
        return True

    def _catch_up(self, polls: Generator[Polled, None, None]) -> None:
        if self._poll_for(polls, 0.0):
            raise Stopped

    def _is_proved(self) -> bool:
        """Tell whether the index was followed until now, and nothing has asked for a comparison: like a live one."""
        record = current(self._pipeline, self._lease)
        ready = record.phase in {Phase.READY, Phase.KEPT} and not record.verify_needed and not record.reconcile
        return ready and self._was_held


@contextmanager
def _held(pipeline: Pipeline, record: IndexRecord) -> Iterator[HandedOver]:
    """Lend the lease of an unfinished index. Raises LeaseHeld where another process builds it."""
    if record.phase is Phase.READY:
        # Nobody builds it any more: it may be followed by a daemon.
        with handed_over(pipeline, record.name) as held:
            yield held
        return
    try:
        lease = pipeline.store.acquire(record.name)
    except LeaseHeld as held_elsewhere:
        raise LeaseHeld(
            f"index {record.name} of pipeline {pipeline.name!r} is being built by another process: "
            f"{held_elsewhere.message}",
            hint=held_elsewhere.hint,
        ) from held_elsewhere
    try:
        yield HandedOver(lease, was_held=False)
    finally:
        lease.release()


def _unfinished(pipeline: Pipeline, events: Events, *, restart: bool) -> IndexRecord | None:
    """Return the record of an unfinished index, to go on with it; one of another configuration is deleted."""
    found = _of_role(pipeline, Role.BUILDING)
    live = pipeline.store.index(pipeline.name)
    if found is None and live is not None and live.phase is not Phase.LIVE:
        found = live
    if found is None:
        return None
    if restart:
        why = "it was not finished"
    elif found.fingerprint and differences(found.fingerprint, pipeline.fingerprint):
        why = "it was not finished, and the configuration has changed"
    elif found.phase is not Phase.NEW and not pipeline.indices.statistics([found.name]):
        why = "it was gone already"
    else:
        return found
    with _held(pipeline, found):
        discard(pipeline, found, events, why)
    return None


def _finish_swap(pipeline: Pipeline, live: IndexRecord, events: Events, *, take_over: bool) -> None:
    """Point the alias to the live index: a swap was interrupted, or somebody has pointed it elsewhere."""
    with handed_over(pipeline, live.name) as held:
        if current(pipeline, held.lease).role is not Role.LIVE:
            raise LeaseHeld(f"index {live.name} was replaced meanwhile")
        finish_publishing(pipeline, held.lease, live, take_over=take_over)
    events.swapped(None, live.name)


def _of_role(pipeline: Pipeline, role: Role) -> IndexRecord | None:
    return next((record for record in pipeline.store.indices(pipeline.name) if record.role is role), None)
