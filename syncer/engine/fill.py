"""Fills the fields that were added to an index in place."""

from __future__ import annotations

from collections.abc import Callable

from syncer.core.run import RunJob
from syncer.engine.backfill import backfill
from syncer.engine.events import Events
from syncer.engine.pipeline import Pipeline
from syncer.ports import Lease


def fill_added(pipeline: Pipeline, lease: Lease, events: Events, stopping: Callable[[], bool] | None = None) -> None:
    """Deliver every row again where fields were added, going on where an earlier process stopped; else nothing.

    stopping: beside the process's own. Raises LeaseHeld while another backfill runs, and what `backfill` raises.
    """
    record = pipeline.store.named(lease.index)
    if record is None or not record.filling:
        return
    progress = pipeline.store.backfill(lease.index)
    try:
        with pipeline.recorded(RunJob.FILL) as ended:
            done = backfill(
                pipeline, lease.index, progress, prove=lease.prove, on_progress=events.loading, stopping=stopping
            )
            ended(done.complete, done.report, {"index": lease.index})
    finally:
        progress.release()
    if done.complete:
        lease.update(filling=False)
        events.filled(record)
