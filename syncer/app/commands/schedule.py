"""`syncer schedule`: what the daemon does next, and how it ended the last time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.table import Table

from syncer.app.commands.history import moment, outcome_text, run_document
from syncer.app.cron import Cron
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.schedule_settings import Job
from syncer.app.wiring import Application
from syncer.core.run import Run
from syncer.ports import Clock


def schedule(invocation: Invocation, requested: Sequence[str]) -> ExitCode:
    """Print when each job is due next, without what it may be late by, and its last run, by hand or not."""
    with invocation.application() as (application, clock):
        application.history.settle_abandoned(clock.now())
        lines = [line for name in application.names(requested) for line in scheduled(application, clock, name)]
    invocation.show({"jobs": [line.document() for line in lines]}, lambda: _table(lines))
    return ExitCode.DONE


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """When a job of a pipeline is due next, and how it ended the last time."""

    pipeline: str
    job: Job
    #: None: never.
    cron: Cron | None
    zone: str
    next_at: datetime | None
    last: Run | None

    @property
    def expression(self) -> str | None:
        return self.cron.text.removesuffix(f" {self.zone}") if self.cron else None

    def document(self) -> Mapping[str, Any]:
        """Return the fields that scripts rely on."""
        return {
            "pipeline": self.pipeline,
            "job": self.job.value,
            "cron": self.expression,
            "timezone": self.zone,
            "next_at": self.next_at.isoformat() if self.next_at else None,
            "last_run": run_document(self.last) if self.last else None,
        }


def scheduled(application: Application, clock: Clock, name: str) -> Sequence[ScheduledJob]:
    """Return the jobs of a pipeline. Raises StateUnavailable."""
    settings = application.settings.pipelines[name].schedule
    lines = []
    for job, cron in settings.crons().items():
        last = application.history.runs([name], job=job, limit=1)
        due_at = cron.next(clock.now()) if cron else None
        lines.append(ScheduledJob(name, job, cron, settings.timezone, due_at, last[0] if last else None))
    return lines


def _table(lines: Sequence[ScheduledJob]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("pipeline", "job", "cron", "zone", "next run", "last run", "outcome"):
        table.add_column(heading, no_wrap=True)
    for line in lines:
        table.add_row(
            line.pipeline,
            line.job.value,
            line.expression or "off",
            line.zone if line.cron else "–",
            moment(line.next_at),
            moment(line.last.started_at if line.last else None),
            outcome_text(line.last.outcome) if line.last else "–",
        )
    return table
