"""`syncer backfill`: deliver every row again."""

from __future__ import annotations

from rich.console import Console

from syncer.app.commands.following import followed_index
from syncer.app.commands.summary import Summary, summary_table
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.progress import progress
from syncer.app.recorded import recorded
from syncer.core.index import IndexRecord
from syncer.core.run import RunJob
from syncer.engine.backfill import OnProgress, backfill
from syncer.engine.pipeline import Pipeline


def backfill_pipeline(invocation: Invocation, name: str, *, restart: bool, workers: int) -> ExitCode:
    """Deliver every row, going on with an unfinished backfill unless told to restart."""
    with invocation.application() as (application, clock):
        (name,) = application.names([name])
        pipeline = application.pipeline(name)
        record = followed_index(pipeline)
        with (
            recorded(application, clock, name, RunJob.BACKFILL) as run,
            progress([name], clock, Console(stderr=True)) as shown,
        ):
            summary = deliver_all(pipeline, record, restart=restart, workers=workers, on_progress=shown[name])
            run.ended(summary.exit_code, summary.document())
    invocation.show(summary.document(), lambda: summary_table([summary]))
    return summary.exit_code


def deliver_all(
    pipeline: Pipeline, record: IndexRecord, *, restart: bool = False, workers: int = 1, on_progress: OnProgress
) -> Summary:
    """Take hold of the index's backfill and run it. Raises LeaseHeld, and what `backfill` raises."""
    started = pipeline.clock.monotonic()
    hold = pipeline.store.backfill(record.name)
    try:
        done = backfill(
            pipeline,
            record.name,
            hold,
            skip_unchanged=True,
            restart=restart,
            workers=workers,
            on_progress=on_progress,
        )
    finally:
        hold.release()
    remainder = not done.complete or bool(done.report.rejected)
    return Summary(pipeline.name, done.report, pipeline.clock.monotonic() - started, remainder)
