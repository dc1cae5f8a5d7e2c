"""Build an index beside the one that is searched, prove that it equals the table, and let it take its place.

    create ──▶ load ──▶ poll it, while the old one is followed on ──▶ settings for searches ──▶ compare ──▶ swap

Each step is in the state, so that whoever goes on after a kill begins with the one that was under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from syncer.core.definition import changes
from syncer.core.error import (
    ConfigurationError,
    FingerprintMismatch,
    IndexMissing,
    LeaseHeld,
    SinkUnavailable,
    SyncerError,
)
from syncer.core.fingerprint import differences
from syncer.core.index import IndexRecord, Phase, Role
from syncer.core.report import Report
from syncer.engine.attach import current, new_record
from syncer.engine.course import kept_of_this, prove_fingerprint
from syncer.engine.events import Events
from syncer.engine.insist import Stopped
from syncer.engine.pipeline import Pipeline
from syncer.engine.publish import finish_publishing
from syncer.engine.retention import discard, retire
from syncer.engine.succession import Succession
from syncer.engine.swap import handed_over
from syncer.engine.verify import Verified
from syncer.ports import Lease


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
    if finished := _finish_interrupted(pipeline, events, take_over=take_over):
        return finished
    live = pipeline.store.index(pipeline.name)
    if not swaps and (live is None or live.phase is not Phase.LIVE):
        raise ConfigurationError(
            f"pipeline {pipeline.name!r} has no index yet that a new one could wait beside",
            hint=f"load it: syncer run {pipeline.name}",
        )
    if not take_over:
        # Before hours of loading, not after them.
        pipeline.indices.prove_alias(pipeline.alias, pipeline.name)
    record = _unfinished(pipeline)
    if record is not None and (why := _why_useless(pipeline, record, restart=restart)):
        try:
            with _lent(pipeline, record) as lease:
                discard(pipeline, lease, record, events, why)
        except Stopped:
            return Rebuilt(record.name, record.phase, complete=False)
        record = None
    if record is None:
        followed = pipeline.store.index(pipeline.name) is None
        record = pipeline.store.register(new_record(pipeline, followed=followed))
    return _succeed(pipeline, record, events, swaps=swaps, take_over=take_over, workers=workers)


def promote(pipeline: Pipeline, events: Events, *, take_over: bool = False) -> Rebuilt:
    """Let the index take its place that a rebuild has left waiting; with none, point the alias to the live index.

    Raises ConfigurationError where there is neither, IndexMissing, FingerprintMismatch, LeaseHeld, and Paused.
    """
    pipeline.prove_not_paused()
    waiting = _of_role(pipeline, Role.BUILDING)
    if waiting is not None and waiting.phase is Phase.READY:
        prove_fingerprint(pipeline, waiting)
        return _succeed(pipeline, waiting, events, take_over=take_over)
    if waiting is not None:
        raise ConfigurationError(
            f"index {waiting.name} is not finished, so that it cannot be promoted",
            hint=f"go on with it: syncer rebuild {pipeline.name} --no-swap",
        )
    live = pipeline.store.index(pipeline.name)
    if live is None or live.phase not in {Phase.PUBLISHING, Phase.LIVE}:
        raise ConfigurationError(
            f"no index of pipeline {pipeline.name!r} waits to be promoted",
            hint=f"build one: syncer rebuild {pipeline.name} --no-swap",
        )
    return _finish_swap(pipeline, live, events, take_over=take_over)


def abandon(pipeline: Pipeline, events: Events) -> Rebuilt:
    """Delete the index that a rebuild has not finished, or has left waiting, and build none.

    Raises ConfigurationError where there is none, or searches find it, and LeaseHeld where another process builds it.
    """
    record = _of_role(pipeline, Role.BUILDING) or next(
        # A deletion that was interrupted.
        (each for each in pipeline.store.indices(pipeline.name) if each.phase is Phase.DELETING and not each.followed),
        None,
    )
    if record is None:
        raise ConfigurationError(
            f"no index of pipeline {pipeline.name!r} is being built, or waits to be promoted",
            hint=f"see what there is: syncer indices {pipeline.name}",
        )
    _prove_unsearched(pipeline, record)
    try:
        with _lent(pipeline, record) as lease:
            discard(pipeline, lease, record, events, "it was given up")
    except Stopped:
        return Rebuilt(record.name, record.phase, complete=False)
    return Rebuilt(record.name, Phase.DELETING)


def rollback(pipeline: Pipeline, events: Events, *, take_over: bool = False) -> Rebuilt:
    """Let the index that was kept last take the place of the live one, once it holds all that is committed.

    It is compared with the table first, unless it was followed until now. Raises ConfigurationError where none is kept,
    FingerprintMismatch where none was built from this configuration, LeaseHeld, and Paused.
    """
    pipeline.prove_not_paused()
    if finished := _finish_interrupted(pipeline, events, take_over=take_over):
        return finished
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
    return _succeed(pipeline, kept, events, take_over=take_over)


def _succeed(
    pipeline: Pipeline,
    record: IndexRecord,
    events: Events,
    *,
    swaps: bool = True,
    take_over: bool = False,
    workers: int = 1,
) -> Rebuilt:
    """Let an index go through the steps that are left, and then delete the kept ones that are too many."""
    try:
        with _lent(pipeline, record) as lease:
            live = pipeline.store.index(pipeline.name)
            old = live.name if live is not None and live.name != record.name else None
            succession = Succession(pipeline, events, lease, workers)
            complete = succession.run(swaps=swaps, take_over=take_over)
            phase = Phase.LIVE if swaps and complete else current(pipeline, lease).phase
    except Stopped:
        return Rebuilt(record.name, record.phase, complete=False)
    if swaps and complete:
        # Without the lease: it may wait for the leases of others, and the live index must not.
        try:
            retire(pipeline, events)
        except SyncerError as error:
            # The index is in its place: a command that fails would be repeated, and build another one.
            events.retiring_failed(error)
    return Rebuilt(record.name, phase, succession.report, succession.verified, complete, old)


@contextmanager
def _lent(pipeline: Pipeline, record: IndexRecord) -> Iterator[Lease]:
    """Lend the lease of an index that is not searched. Raises LeaseHeld where another process builds it, or was faster.

    Raises Stopped.
    """
    # One that is complete is built by nobody any more, but it may be followed by a daemon.
    complete = record.phase in {Phase.READY, Phase.KEPT}
    with handed_over(pipeline, record.name) if complete else _building(pipeline, record) as lease:
        now = current(pipeline, lease)
        if now.role is not record.role or now.phase in {Phase.PUBLISHING, Phase.LIVE}:
            raise LeaseHeld(
                f"another process has put index {record.name} in its place meanwhile, or replaced it",
                hint=f"see what there is: syncer indices {pipeline.name}",
            )
        yield lease


def prove_unbuilt(pipeline: Pipeline) -> None:
    """Raise LeaseHeld where another process builds an index of the pipeline."""
    record = _of_role(pipeline, Role.BUILDING)
    if record is not None:
        with _building(pipeline, record):
            pass


@contextmanager
def _building(pipeline: Pipeline, record: IndexRecord) -> Iterator[Lease]:
    """Lend a lease that nobody hands over before the index is complete."""
    try:
        lease = pipeline.store.acquire(record.name)
    except LeaseHeld as held_elsewhere:
        raise LeaseHeld(
            f"index {record.name} of pipeline {pipeline.name!r} is being built by another process: "
            f"{held_elsewhere.message}",
            hint=held_elsewhere.hint,
        ) from held_elsewhere
    try:
        yield lease
    finally:
        lease.release()


def _unfinished(pipeline: Pipeline) -> IndexRecord | None:
    """Return the record of an index that was not built to its end."""
    if (building := _of_role(pipeline, Role.BUILDING)) is not None:
        return building
    live = pipeline.store.index(pipeline.name)
    return live if live is not None and live.phase not in {Phase.PUBLISHING, Phase.LIVE} else None


def _why_useless(pipeline: Pipeline, record: IndexRecord, *, restart: bool) -> str | None:
    """Return why an unfinished index is to be deleted; None: it is gone on with."""
    why = _why(pipeline, record, restart=restart)
    if why is not None:
        _prove_unsearched(pipeline, record)
    return why


def _prove_unsearched(pipeline: Pipeline, record: IndexRecord) -> None:
    if record.name in pipeline.indices.targets(record.alias).indices:
        # The state is older than the alias: it was restored, or has failed over.
        raise ConfigurationError(
            f"index {record.name} is not finished, as the state has it, but searches find it: it is not deleted",
            hint=f"compare it and let it be live: take back what was changed, then syncer rebuild {pipeline.name}",
        )


def _why(pipeline: Pipeline, record: IndexRecord, *, restart: bool) -> str | None:
    if restart:
        return "it was not finished"
    if record.phase is Phase.DELETING:
        return "its deletion was interrupted"
    if record.fingerprint and differences(record.fingerprint, pipeline.fingerprint):
        return "it was not finished, and the configuration has changed"
    there = bool(pipeline.indices.statistics([record.name]))
    if record.phase is Phase.NEW and there:
        # Of which configuration is not known, and the server would not create it again from another one.
        return "it was hardly begun"
    return "it was gone already" if record.phase is not Phase.NEW and not there else None


def _finish_interrupted(pipeline: Pipeline, events: Events, *, take_over: bool) -> Rebuilt | None:
    """Finish a swap that was interrupted; return what came of it where that is all that was asked for."""
    live = pipeline.store.index(pipeline.name)
    if live is None or live.phase is not Phase.PUBLISHING:
        return None
    try:
        finished = _finish_swap(pipeline, live, events, take_over=take_over)
    except IndexMissing:
        return None
    # Of this configuration: it is this very command that was interrupted, and a second run would undo it.
    undoes = not differences(live.fingerprint, pipeline.fingerprint)
    return finished if undoes or not finished.complete else None


def _finish_swap(pipeline: Pipeline, live: IndexRecord, events: Events, *, take_over: bool) -> Rebuilt:
    """Point the alias to the live index: a swap was interrupted, or somebody has pointed it elsewhere.

    Raises IndexMissing.
    """
    try:
        with handed_over(pipeline, live.name) as lease:
            if current(pipeline, lease).role is not Role.LIVE:
                raise LeaseHeld(f"index {live.name} was replaced meanwhile")
            try:
                finish_publishing(pipeline, lease, live, take_over=take_over)
            except IndexMissing:
                if pipeline.indices.statistics([live.name]):
                    raise SinkUnavailable(f"alias {live.alias}: an index behind it was deleted just now") from None
                # Gone before it was searched. Live in name, so that another one can take its place.
                lease.update(phase=Phase.LIVE)
                raise
    except Stopped:
        return Rebuilt(live.name, live.phase, complete=False)
    events.swapped(None, live.name)
    return Rebuilt(live.name, Phase.LIVE)


def _of_role(pipeline: Pipeline, role: Role) -> IndexRecord | None:
    return next((record for record in pipeline.store.indices(pipeline.name) if record.role is role), None)
