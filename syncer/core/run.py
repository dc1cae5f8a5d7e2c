"""A run of something that is done for a pipeline now and then, as it is kept in the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

#: The schedule of what a daemon does because the configuration was changed.
ON_CHANGE = "on change"


class RunJob(StrEnum):
    """What is kept in the history."""

    BACKFILL = "backfill"
    VERIFY = "verify"
    RETENTION = "retention"
    PRUNE = "prune"
    REBUILD = "rebuild"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    ABANDON = "abandon"
    #: Of fields that were added in place.
    FILL = "fill"


class RunOutcome(StrEnum):
    """How a run has ended."""

    RUNNING = "running"
    DONE = "done"
    #: Done, but differences or rejections remain.
    REMAINDER = "remainder"
    FAILED = "failed"
    #: It was due, and there was a reason not to run.
    SKIPPED = "skipped"
    #: Its process was stopped or killed.
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Run:
    """One of them."""

    pipeline: str
    job: str
    #: What it was due by, as text: a cron expression, or ON_CHANGE; None: somebody has run it by hand.
    schedule: str | None
    due_at: datetime | None
    started_at: datetime
    finished_at: datetime | None
    outcome: RunOutcome
    #: What was found or done, or the error.
    detail: Mapping[str, Any]
    host: str
    pid: int
