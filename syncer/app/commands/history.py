"""`syncer history`: what was run for pipelines, by schedule or by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.log_events import one_line
from syncer.app.printable import printable
from syncer.core.run import Run, RunJob, RunOutcome

_COLOURS = {
    RunOutcome.RUNNING: "cyan",
    RunOutcome.DONE: "green",
    RunOutcome.REMAINDER: "yellow",
    RunOutcome.FAILED: "red",
    RunOutcome.SKIPPED: "yellow",
    RunOutcome.INTERRUPTED: "yellow",
}


def history(invocation: Invocation, requested: Sequence[str], *, job: RunJob | None, limit: int) -> ExitCode:
    """Print the newest runs of the pipelines, the newest first."""
    with invocation.application() as (application, clock):
        application.history.settle_abandoned(clock.now())
        runs = application.history.runs(application.names(requested), job=job, limit=limit)
    invocation.show({"runs": [run_document(run) for run in runs]}, lambda: _table(runs))
    return ExitCode.DONE


def run_document(run: Run) -> Mapping[str, Any]:
    """Return the fields that scripts rely on."""
    return {
        "pipeline": run.pipeline,
        "job": run.job,
        "schedule": run.schedule,
        "due_at": _iso(run.due_at),
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "outcome": run.outcome.value,
        "detail": run.detail,
        "host": run.host,
        "pid": run.pid,
    }


def moment(time: datetime | None) -> str:
    """Return a time as tables have it."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else "–"


def outcome_text(outcome: RunOutcome) -> Text:
    """Return an outcome in its colour."""
    return Text(outcome.value, _COLOURS[outcome])


def _table(runs: Sequence[Run]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("pipeline", "job", "due", "started"):
        table.add_column(heading, no_wrap=True)
    table.add_column("seconds", justify="right")
    table.add_column("outcome", no_wrap=True)
    table.add_column("detail", overflow="fold")
    for run in runs:
        seconds = (run.finished_at - run.started_at).total_seconds() if run.finished_at else None
        table.add_row(
            run.pipeline,
            run.job,
            moment(run.due_at) if run.due_at else run.schedule or "by hand",
            moment(run.started_at),
            "–" if seconds is None else f"{seconds:,.1f}",
            outcome_text(run.outcome),
            Text(printable(_told(run))),
        )
    return table


def _told(run: Run) -> str:
    """Return why it did not end well, or the counts that are not 0."""
    for name in ("error", "reason"):
        if name in run.detail:
            return one_line(str(run.detail[name]))
    counts = [f"{name} {value:,}" for name, value in run.detail.items() if type(value) is int and value]
    lists = [f"{name} {', '.join(value)}" for name, value in run.detail.items() if isinstance(value, list) and value]
    return ", ".join(counts + lists)


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
