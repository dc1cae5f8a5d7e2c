"""Let searches find an index."""

from __future__ import annotations

from syncer.core.error import LifecycleRefused, SinkUnavailable
from syncer.core.index import IndexRecord, Phase
from syncer.engine.events import Events
from syncer.engine.pipeline import Pipeline
from syncer.ports import Lease

#: How long copies may be nowhere before they are taken for ones that find no place: a cluster allocates them at once,
#: unless it delays that for a node that has just left (a minute, by default).
HOMELESS_SECONDS = 90.0
#: How long primaries are waited for that are away.
PRIMARIES_SECONDS = 30.0


def wait_for_shards(pipeline: Pipeline, index: str, events: Events) -> bool:
    """Build graphs, restore the settings for searches, and wait until all copies are there; False where told to stop.

    Goes on without the copies that find no place, and says so. Raises SinkUnavailable where a primary is away.
    """
    clock = pipeline.clock
    if not _build_graphs(pipeline, index, events):
        return False
    # After the graphs: replicas take them over, and do not build them once more.
    pipeline.indices.restore(index)
    quiet_since = whole_since = clock.monotonic()
    while not clock.stopping():
        health = pipeline.indices.health(index)
        now = clock.monotonic()
        if health.green:
            return True
        if health.moving:
            quiet_since = now
        if health.yellow:
            whole_since = now
        patience = 0.0 if health.crowded else HOMELESS_SECONDS
        if health.yellow and not health.moving and now - quiet_since >= patience:
            events.not_green(index, health.unassigned)
            return True
        if not health.yellow and now - whole_since >= PRIMARIES_SECONDS:
            raise SinkUnavailable(f"index {index} is not ready after {PRIMARIES_SECONDS:g} s: a primary shard is away")
        clock.wait(0.5)
    return False


def _build_graphs(pipeline: Pipeline, index: str, events: Events) -> bool:
    """Wait until searches for vectors are fast; False where told to stop. Raises Paused."""
    task = pipeline.indices.build_graphs(index)
    if task is not None:
        events.building_graphs(index)
    while task is not None and pipeline.indices.is_running(task):
        pipeline.prove_not_paused()
        if pipeline.clock.wait(0.5):
            return False
    return True


def finish_publishing(pipeline: Pipeline, lease: Lease, record: IndexRecord, *, take_over: bool = False) -> None:
    """Point the alias to an index that was chosen, and call it live. Idempotent."""
    pipeline.indices.publish(record.name, record.alias, take_over=take_over)
    lease.update(phase=Phase.LIVE)


def let_age(pipeline: Pipeline, record: IndexRecord, events: Events) -> None:
    """Hand an index to the server's lifecycle, as is configured; where that cannot be, it is as good as before."""
    if pipeline.lifecycle is None:
        return
    try:
        pipeline.lifecycle.apply(record)
    except LifecycleRefused as error:
        events.lifecycle_refused(error)
