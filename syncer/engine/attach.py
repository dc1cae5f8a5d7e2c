"""Take hold of an index that is to be polled: load it if need be, or prove that it is still the one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncer.core.change import Change
from syncer.core.course import Course
from syncer.core.definition import changes
from syncer.core.error import IndexReplaced, LeaseHeld, LeaseLost
from syncer.core.fingerprint import superseding
from syncer.core.index import IndexRecord, Phase, physical_name
from syncer.core.position import Position, earlier
from syncer.core.report import Report
from syncer.core.settlement import Checkpoint, Settlement
from syncer.engine.course import course_of, prove_fingerprint
from syncer.engine.events import Events
from syncer.engine.load import Loaded, create, first_checkpoints, index_meta, load
from syncer.engine.pipeline import Pipeline, Reader
from syncer.engine.publish import finish_publishing, let_age, wait_for_shards
from syncer.engine.source_clocks import SourceClocks
from syncer.ports import Lease


@dataclass(frozen=True, slots=True)
class Attached:
    """An index ready to be polled into; `loaded` is what a load delivered on the way, if one ran."""

    record: IndexRecord
    loaded: Report
    #: By feed, changes that the load has taken into account.
    delivered: Mapping[str, Sequence[Change]]
    #: False when the process was asked to stop on the way.
    complete: bool


def register(pipeline: Pipeline) -> IndexRecord:
    """Return the record of the index that is followed; a new one where there is none. Safe when raced."""
    known = pipeline.store.index(pipeline.name)
    return known or pipeline.store.register(new_record(pipeline, followed=True))


def new_record(pipeline: Pipeline, *, followed: bool) -> IndexRecord:
    """Return a record for an index that is not there yet."""
    name = physical_name(pipeline.alias, pipeline.clock.now())
    return IndexRecord(name, pipeline.name, pipeline.alias, Phase.NEW, 0, {}, followed=followed)


def attach(
    pipeline: Pipeline,
    reader: Reader,
    lease: Lease,
    clocks: SourceClocks,
    events: Events,
    *,
    workers: int = 1,
    publishes: bool = True,
) -> Attached:
    """Bring the index to where it is polled, and check that nothing was exchanged since.

    Goes on in the phase where an earlier process stopped. publishes: an index that is followed is put behind the alias
    as soon as it is loaded. Raises FingerprintMismatch, IndexReplaced, IndexMissing.
    """
    record = current(pipeline, lease)
    if record.phase is Phase.DELETING:
        raise LeaseHeld(
            f"index {record.name} is being deleted, so that another one is built in its place",
            hint=f"if nobody does, go on with it: syncer rebuild {pipeline.name}",
        )
    if record.followed and record.phase is Phase.PUBLISHING:
        # Whatever it was built from: it was chosen, and until the alias points to it nobody follows what it points to.
        finish_publishing(pipeline, lease, record)
        record = current(pipeline, lease)
    if record.phase in {Phase.NEW, Phase.LOADING} and publishes:
        # Before hours of loading, not after them.
        pipeline.indices.prove_alias(pipeline.alias, pipeline.name)
    delivered: Mapping[str, Sequence[Change]] = {}
    if record.phase is Phase.NEW:
        delivered = create(pipeline, reader, lease, clocks)
    else:
        _prove(pipeline, reader, lease, record, clocks, events)
    record = current(pipeline, lease)
    events.attached(record)
    loaded = Loaded()
    if record.phase is Phase.LOADING:
        loaded = load(pipeline, lease, record, events, workers)
        record = current(pipeline, lease)
    if record.phase in {Phase.LOADED, Phase.READY} and record.followed and publishes:
        loaded = _publish_first(pipeline, lease, record, events, loaded)
        record = current(pipeline, lease)
    if record.phase is Phase.LIVE:
        _tend(pipeline, record, events)
    elif record.phase is Phase.KEPT and publishes:
        let_age(pipeline, record, events)
    return Attached(current(pipeline, lease), loaded.report, delivered, loaded.complete)


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


def current(pipeline: Pipeline, lease: Lease) -> IndexRecord:
    """Return the record of a leased index as it is now."""
    record = pipeline.store.named(lease.index)
    if record is None:
        raise LeaseLost(f"the state of index {lease.index} was deleted by somebody else")
    return record


def is_beside(record: IndexRecord) -> bool:
    """Tell whether the index is complete beside the live one: followed too, it can take its place at once."""
    return record.phase in {Phase.READY, Phase.KEPT} and not record.followed


def _prove(
    pipeline: Pipeline, reader: Reader, lease: Lease, record: IndexRecord, clocks: SourceClocks, events: Events
) -> None:
    taken = course_of(pipeline, record)
    if taken not in {Course.FOLLOW, Course.GROW}:
        prove_fingerprint(pipeline, record)
    prove_index(pipeline, record)
    _change_feeds(pipeline, reader, lease, clocks, compared=taken is Course.FOLLOW)
    if taken is Course.GROW:
        _extend(pipeline, lease, record, events)
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


def _change_feeds(pipeline: Pipeline, reader: Reader, lease: Lease, clocks: SourceClocks, *, compared: bool) -> None:
    """Let feeds that the configuration has added be followed from now on. compared: and the index be compared, for
    nobody may have told what changed before; else the fill delivers every row.

    Not read from their beginning: that would deliver all documents, and still miss what was deleted. Those that it has
    left out are forgotten: they would hold tombstones back, and be new when they come again.
    """
    known = lease.checkpoints()
    added = [feed for feed in reader.feeds if feed.name not in known]
    ended = sorted(known.keys() - {feed.name for feed in reader.feeds})
    if added or ended:
        checkpoints = first_checkpoints(pipeline, reader, added, clocks) if added else {}
        reconcile = pipeline.clock.now() if compared and added else None
        lease.commit(Settlement(checkpoints, reconcile=reconcile, ended=ended))


def _extend(pipeline: Pipeline, lease: Lease, record: IndexRecord, events: Events) -> None:
    """Add to the index what the configuration has added; a backfill fills it.

    With the backfill's hold, for one that is under way would go on without the new fields; and its plan is forgotten,
    for its settled ranges lack them. Raises LeaseHeld.
    """
    progress = pipeline.store.backfill(record.name)
    try:
        pipeline.indices.extend(record.name, index_meta(pipeline))
        progress.finish()
        changed = changes(record, pipeline.fingerprint, pipeline.definition)
        lease.update(
            fingerprint=pipeline.fingerprint,
            definition=pipeline.definition,
            filling=True,
            superseded=superseding(record.superseded, record.fingerprint, pipeline.fingerprint),
        )
    finally:
        progress.release()
    events.extended(record, changed)


def _publish_first(pipeline: Pipeline, lease: Lease, record: IndexRecord, events: Events, loaded: Loaded) -> Loaded:
    if not wait_for_shards(pipeline, record.name, events):
        return Loaded(loaded.report, loaded.delivered, complete=False)
    lease.update(phase=Phase.PUBLISHING)
    finish_publishing(pipeline, lease, record)
    events.loaded(record)
    return loaded


def _tend(pipeline: Pipeline, record: IndexRecord, events: Events) -> None:
    """See to what may be changed in place, and to what searches find."""
    pipeline.indices.restore(record.name)
    let_age(pipeline, record, events)
    targets = pipeline.indices.targets(record.alias)
    if not targets.just(record.name):
        # Only told: somebody may have pointed it elsewhere on purpose.
        events.astray(record.alias, record.name, targets)
