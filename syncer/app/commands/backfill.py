"""`syncer backfill`: deliver every row again."""

from __future__ import annotations

from rich.console import Console

from syncer.app.commands.following import followed_index
from syncer.app.commands.summary import Summary, summary_table
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.progress import progress
from syncer.engine.backfill import backfill


def backfill_pipeline(invocation: Invocation, name: str, *, restart: bool, workers: int) -> ExitCode:
    """Deliver every row, going on with an unfinished backfill unless told to restart."""
    with invocation.application() as (application, clock):
        (name,) = application.names([name])
        started = clock.monotonic()
        pipeline = application.pipeline(name)
        record = followed_index(pipeline)
        hold = application.store.backfill(record.name)
        try:
            with progress([name], clock, Console(stderr=True)) as shown:
                done = backfill(pipeline, record.name, hold, restart=restart, workers=workers, on_progress=shown[name])
        finally:
            hold.release()
        remainder = not done.complete or bool(done.report.rejected)
        summary = Summary(name, done.report, clock.monotonic() - started, remainder)
    invocation.show(summary.document(), lambda: summary_table([summary]))
    return summary.exit_code
