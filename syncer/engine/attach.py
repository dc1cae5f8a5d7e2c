"""Take hold of the index that a pipeline is to follow: create and load it, or prove that it is still the one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncer.core.change import Change
from syncer.core.error import FingerprintMismatch, IndexReplaced, LeaseLost, Paused, SinkUnavailable
from syncer.core.fingerprint import differences
from syncer.core.index import IndexRecord, Phase, physical_name
from syncer.core.position import START, Position, earlier
from syncer.core.report import Report
from syncer.core.settlement import Checkpoint, Settlement
from syncer.engine.backfill import backfill
from syncer.engine.events import Events
from syncer.engine.pipeline import Pipeline, Reader
from syncer.engine.source_clocks import SourceClocks
from syncer.ports import ChangeFeed, Lease

#: How long a first load waits for transactions whose start this role may not see.
HIDDEN_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Attached:
    """An index ready to be polled into; `loaded` is what a first load delivered on the way, if one ran."""

    record: IndexRecord
    loaded: Report
    #: By feed, changes that the load has taken into account.
    delivered: Mapping[str, Sequence[Change]]
    #: False when the process was asked to stop during the load.
    complete: bool


def register(pipeline: Pipeline) -> IndexRecord:
    """Return the record of the pipeline's index; a new one, in phase NEW, where there is none. Safe when raced."""
    known = pipeline.store.index(pipeline.name)
    if known is not None:
        return known
    name = physical_name(pipeline.alias, pipeline.clock.now())
    return pipeline.store.register(IndexRecord(name, pipeline.name, pipeline.alias, Phase.NEW, 0, {}))


def attach(pipeline: Pipeline, reader: Reader, lease: Lease, clocks: SourceClocks, events: Events) -> Attached:
    """Bring the index to the phase in which it is polled, and check that nothing was exchanged since.

    Goes on in the phase where an earlier process stopped. Raises FingerprintMismatch, IndexReplaced, IndexMissing.
    """
    record = _record(pipeline)
    if record.phase is not Phase.LIVE:
        # Before hours of loading, not after them.
        pipeline.indices.prove_alias(pipeline.alias, pipeline.name)
    delivered: Mapping[str, Sequence[Change]] = {}
    if record.phase is Phase.NEW:
        delivered = _create(pipeline, reader, lease, record, clocks)
    else:
        _prove(pipeline, reader, lease, record)
    events.attached(record)
    loaded, complete = Report(), True
    if record.phase is not Phase.LIVE:
        loaded, complete = _load(pipeline, lease, record, events)
    return Attached(_record(pipeline), loaded, delivered, complete)


def prove_index(pipeline: Pipeline, record: IndexRecord) -> None:
    """Raise IndexReplaced or IndexMissing unless the index is the one that its checkpoints were made for.

    A shard that is away is taken for the one that it was; what it is when it comes back is seen the next time.
    """
    if record.identity is None or not pipeline.indices.identity(record.name).may_be(record.identity):
        raise IndexReplaced(
            f"index {record.name} is another one than pipeline {pipeline.name!r} has written to: "
            "it was deleted and created anew, or restored from a snapshot",
            hint=f"build it again: syncer rebuild {pipeline.name}",
        )


def prove_fingerprint(pipeline: Pipeline, record: IndexRecord) -> None:
    """Raise FingerprintMismatch where the index was built from another configuration."""
    changed = differences(record.fingerprint, pipeline.fingerprint)
    if changed:
        raise FingerprintMismatch(
            f"the configuration of pipeline {pipeline.name!r} no longer matches index {record.name}: "
            f"{', '.join(changed)} changed",
            hint=f"build a new index: syncer rebuild {pipeline.name}; or take the change back",
        )


def _record(pipeline: Pipeline) -> IndexRecord:
    record = pipeline.store.index(pipeline.name)
    if record is None:
        raise LeaseLost(f"the state of pipeline {pipeline.name!r} was deleted by somebody else")
    return record


def _create(
    pipeline: Pipeline, reader: Reader, lease: Lease, record: IndexRecord, clocks: SourceClocks
) -> Mapping[str, Sequence[Change]]:
    """Create the index, and fix before the first read from where polls will follow.

    Returns the changes above the checkpoints that are there already: the load hydrates them after this.
    """
    pipeline.indices.create(record.name, {"pipeline": pipeline.name, "fingerprint": dict(pipeline.fingerprint)})
    identity = pipeline.indices.identity(record.name)
    if identity.away:
        raise SinkUnavailable(f"index {record.name}: {identity.away} primary shards are away")
    checkpoints = _first_checkpoints(pipeline, reader, clocks)
    lease.commit(Settlement(checkpoints))
    lease.update(
        phase=Phase.LOADING,
        fingerprint=pipeline.fingerprint,
        identity=identity,
        source=reader.source.identity(),
    )
    return {feed.name: _changes_above(pipeline, feed, checkpoints[feed.name]) for feed in reader.feeds}


def _changes_above(pipeline: Pipeline, feed: ChangeFeed, checkpoint: Checkpoint) -> Sequence[Change]:
    """Return what the first poll would read, as far as the window can hold it."""
    limits = pipeline.limits.poll
    until = checkpoint.polled_at + limits.margin
    changes: list[Change] = []
    position: Position | None = checkpoint.position
    while position is not None and len(changes) < limits.window_entries:
        page = feed.read(position, until, limits.batch_rows)
        changes += page.changes
        position = page.next
    return changes


def _first_checkpoints(pipeline: Pipeline, reader: Reader, clocks: SourceClocks) -> Mapping[str, Checkpoint]:
    """Return checkpoints such that a row which no read from now on shows lies above them.

    Of a transaction whose start is hidden from this role nothing is known, so it is given a while to end; where it does
    not, polls start from the beginning: slow, but nothing is lost.
    """
    before = pipeline.clock.monotonic()
    observation = reader.source.observe()
    hidden = {name for name, since in observation.open_since.items() if since is None}
    deadline = pipeline.clock.monotonic() + HIDDEN_WAIT_SECONDS
    while hidden and pipeline.clock.monotonic() < deadline and not pipeline.clock.wait(0.1):
        hidden &= reader.source.observe().open_since.keys()
    margin = pipeline.limits.poll.margin
    checkpoints = {}
    for feed in reader.feeds:
        local = observation.on_wall_clock(feed.watermark_zone) if feed.watermark_zone else observation
        position = START if hidden else Position(local.clock - margin)
        for since in local.open_since.values():
            if since is not None:
                position = position.not_above(earlier(since, margin))
        checkpoints[feed.name] = Checkpoint(position, local.clock, complete=True)
        # A clock that is set back during the load is seen by the first poll.
        clocks.settled(feed.name, local.clock, before)
    return checkpoints


def _prove(pipeline: Pipeline, reader: Reader, lease: Lease, record: IndexRecord) -> None:
    prove_fingerprint(pipeline, record)
    prove_index(pipeline, record)
    source = reader.source.identity()
    if source == record.source:
        return
    rewind = pipeline.limits.rewind
    lease.commit(
        Settlement(
            {
                feed: Checkpoint(Position(earlier(known.position.watermark, rewind)), known.polled_at, complete=False)
                for feed, known in lease.checkpoints().items()
            }
        )
    )
    lease.update(
        source=source,
        verify_needed=f"the source database was restarted or failed over at {source.started_at:%Y-%m-%d %H:%M:%S} UTC: "
        "it may have lost commits that were delivered",
    )


def prove_not_paused(pipeline: Pipeline) -> None:
    """Raise Paused where somebody has paused the pipeline."""
    since = pipeline.store.paused(pipeline.name)
    if since is not None:
        raise Paused(
            f"pipeline {pipeline.name!r} is paused since {since:%Y-%m-%d %H:%M:%S} UTC",
            hint=f"let it go on: syncer resume {pipeline.name}",
        )


def _load(pipeline: Pipeline, lease: Lease, record: IndexRecord, events: Events) -> tuple[Report, bool]:
    def may_load() -> None:
        lease.prove()
        prove_not_paused(pipeline)

    progress = pipeline.store.backfill(record.name)
    try:
        done = backfill(pipeline, record.name, progress, first_load=True, prove=may_load, on_progress=events.loading)
        if done.complete:
            pipeline.indices.publish(record.name, record.alias)
            lease.update(phase=Phase.LIVE)
            progress.finish()
    finally:
        progress.release()
    if done.complete:
        events.loaded(record)
    return done.report, done.complete
