"""The settings of what a pipeline's daemon does now and then."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, model_validator

from syncer.app.cron import Cron
from syncer.app.setting_type import Duration, Misplaced, Section, Zone


class Job(StrEnum):
    """What may be scheduled."""

    BACKFILL = "backfill"
    VERIFY = "verify"
    RETENTION = "retention"
    PRUNE = "prune"


def cron_expression(value: Any) -> str | None:
    """Return a cron expression that is one; None for `off`, which YAML reads as false."""
    if value is False or value == "off":
        return None
    if not isinstance(value, str):
        raise ValueError('must be a cron expression such as "0 3 * * *", or off')
    return Cron.of(value.strip(), "UTC").text.removesuffix(" UTC")


CronExpression = Annotated[str | None, BeforeValidator(cron_expression)]


class ScheduleSettings(Section):
    """What the daemon does now and then, by cron expressions: minute, hour, day of the month, month, day of the week;
    `off`: never. See [schedules](schedules.md)."""

    backfill: CronExpression = None
    """When every row is delivered again."""
    verify: CronExpression = None
    """When the index is compared with the table."""
    repair: bool = False
    """Whether `verify` mends what differs, as `syncer verify --repair` does without `--force`."""
    retention: CronExpression = "15 4 * * *"
    """When kept indices that are too many or too old are deleted."""
    prune: CronExpression = "45 4 * * *"
    """When what syncer remembers is cleared of what is not needed any more."""
    timezone: Zone = "UTC"
    """The zone of the expressions, `UTC` or `Europe/Berlin`."""
    jitter: Duration = 30.0
    """By how much a job may begin late, at random, so that not all begin at once."""

    @model_validator(mode="before")
    @classmethod
    def _blank_is_left_out(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: set_ for name, set_ in value.items() if set_ is not None and str(set_).strip()}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.repair and self.verify is None:
            raise Misplaced("repair", 'is for verify: say when, as in verify: "0 5 * * 0"')
        return self

    def crons(self) -> Mapping[Job, Cron | None]:
        """Return when each job is due; None: never."""
        expressions: Mapping[Job, str | None] = {job: getattr(self, job) for job in Job}
        return {job: Cron.of(text, self.timezone) if text else None for job, text in expressions.items()}
