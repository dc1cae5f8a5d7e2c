"""Create an index and deliver every row to it once: the first load, and the first half of a rebuild."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from syncer.core.change import Change
from syncer.core.error import SinkUnavailable
from syncer.core.index import IndexRecord, Phase
from syncer.core.position import START, Position, earlier
from syncer.core.report import Report
from syncer.core.settlement import Checkpoint, Settlement
from syncer.engine.backfill import backfill
from syncer.engine.events import Events
from syncer.engine.parting import Parting
from syncer.engine.pipeline import Pipeline, Reader
from syncer.engine.source_clocks import SourceClocks
from syncer.ports import ChangeFeed, Lease

#: How long a first load waits for transactions whose start this role may not see.
HIDDEN_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was delivered on the way to a loaded index."""

    report: Report = field(default_factory=Report)
    #: By feed, changes that the load has taken into account.
    delivered: Mapping[str, Sequence[Change]] = field(default_factory=dict)
    #: False when the process was asked to stop during the load.
    complete: bool = True


def create(pipeline: Pipeline, reader: Reader, lease: Lease, clocks: SourceClocks) -> Mapping[str, Sequence[Change]]:
    """Create the index, and fix before the first read from where polls will follow.

    Returns the changes above the checkpoints that are there already: the load hydrates them after this.
    """
    pipeline.indices.create(lease.index, index_meta(pipeline))
    identity = pipeline.indices.identity(lease.index)
    if identity.away:
        raise SinkUnavailable(f"index {lease.index}: {identity.away} primary shards are away")
    checkpoints = first_checkpoints(pipeline, reader, reader.feeds, clocks)
    lease.commit(Settlement(checkpoints))
    lease.update(
        phase=Phase.LOADING,
        fingerprint=pipeline.fingerprint,
        definition=pipeline.definition,
        identity=identity,
        source=reader.source.identity(),
    )
    return {feed.name: _changes_above(pipeline, feed, checkpoints[feed.name]) for feed in reader.feeds}


def index_meta(pipeline: Pipeline) -> Mapping[str, object]:
    """Return what an index says of itself."""
    return {"pipeline": pipeline.name, "fingerprint": dict(pipeline.fingerprint)}


def load(pipeline: Pipeline, lease: Lease, record: IndexRecord, events: Events, workers: int) -> Loaded:
    """Deliver every row, going on where an earlier process stopped; then the index is LOADED.

    Raises what `backfill` raises.
    """

    def may_load() -> None:
        lease.prove()
        pipeline.prove_not_paused()

    parting = Parting(pipeline, record.name)

    def progressed(settled: int, total: int) -> None:
        parting.written(settled, total)
        events.loading(settled, total)

    progress = pipeline.store.backfill(record.name)
    try:
        done = backfill(
            pipeline,
            record.name,
            progress,
            first_load=True,
            workers=workers,
            prove=may_load,
            on_planned=lambda rows: pipeline.indices.expect(record.name, rows),
            on_progress=progressed,
        )
        if done.complete:
            parting.end()
            lease.update(phase=Phase.LOADED)
            progress.finish()
    finally:
        progress.release()
    return Loaded(done.report, complete=done.complete)


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


def first_checkpoints(
    pipeline: Pipeline, reader: Reader, feeds: Sequence[ChangeFeed], clocks: SourceClocks
) -> Mapping[str, Checkpoint]:
    """Return checkpoints of feeds such that a row which no read from now on shows lies above them.

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
    for feed in feeds:
        local = observation.on_wall_clock(feed.watermark_zone) if feed.watermark_zone else observation
        position = START if hidden else Position(local.clock - margin)
        for since in local.open_since.values():
            if since is not None:
                position = position.not_above(earlier(since, margin))
        checkpoints[feed.name] = Checkpoint(position, local.clock, complete=True)
        # A clock that is set back during the load is seen by the first poll.
        clocks.settled(feed.name, local.clock, before)
    return checkpoints
