"""Cron expressions, as crontab(5) understands them, and the times that they stand for."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WEEKDAYS = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d*))?")
#: What APScheduler calls each field, what people call it, and what it may hold.
_FIELDS = (
    ("minute", "minute", "0 to 59"),
    ("hour", "hour", "0 to 23"),
    ("day", "day of the month", "1 to 31"),
    ("month", "month", "1 to 12, or jan to dec"),
    ("day_of_week", "day of the week", "0 to 7, where 0 and 7 are Sunday, or mon to sun"),
)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cron:
    """When something is due again and again. Times are in UTC."""

    #: The expression and its zone.
    text: str
    #: APScheduler's, without jitter.
    trigger: Any

    @classmethod
    def of(cls, expression: str, zone: str) -> Cron:
        """Return what an expression means in a zone. Raises ValueError."""
        # Imported late: most commands read no cron expression.
        from apscheduler.triggers.cron import CronTrigger

        fields = expression.split()
        if len(fields) != len(_FIELDS):
            raise ValueError(
                'must have five fields: minute, hour, day of the month, month, day of the week: "0 3 * * *"'
            )
        *rest, days = fields
        fields = [*rest, weekdays(days)]
        for (name, called, range_), field in zip(_FIELDS, fields, strict=True):
            try:
                CronTrigger(**{name: field}, timezone=UTC)
            except ValueError:
                raise ValueError(f"its {called} is none: {range_}, lists (1,2), ranges (1-5), steps (*/5)") from None
        if fields[2] != "*" and fields[4] != "*":
            raise ValueError("must leave either the day of the month or the day of the week at *")
        cron = cls(f"{expression} {zone}", CronTrigger.from_crontab(" ".join(fields), ZoneInfo(zone)))
        if cron.trigger.get_next_fire_time(None, datetime(2000, 1, 1, tzinfo=UTC)) is None:
            raise ValueError("stands for a day that never comes")
        return cron

    def jittered(self, seconds: float) -> Any:
        """Return a trigger for the scheduler: at random up to so many seconds late."""
        # Its own jitter would move what `next` and `latest` say.
        trigger = copy(self.trigger)
        trigger.jitter = seconds
        return trigger

    def next(self, after: datetime) -> datetime | None:
        """Return the first time after this one.

        A time that the clocks skip in spring comes an hour later by the wall. One that they repeat in autumn comes
        once, unless the hour is `*`.
        """
        due: datetime | None = self.trigger.get_next_fire_time(None, after + _TICK)
        while due is not None and due.fold and not self._every_hour:
            due = self.trigger.get_next_fire_time(None, due.astimezone(UTC) + _TICK)
        return None if due is None else due.astimezone(UTC)

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """Return the last time after one and not after the other."""
        # Looked for from the end, in ever larger steps: there may be a year of minutes in between.
        back, due = timedelta(minutes=1), None
        while due is None:
            start = max(after, until - back)
            due = self._within(start, until)
            if start == after:
                break
            back *= 2
        while due is not None and (later := self._within(due, until)):
            due = later
        return due

    def _within(self, after: datetime, until: datetime) -> datetime | None:
        due = self.next(after)
        return due if due is not None and due <= until else None

    @property
    def _every_hour(self) -> bool:
        (hour,) = (field for field in self.trigger.fields if field.name == "hour")
        return str(hour).startswith("*")


def weekdays(field: str) -> str:
    """Return the days of the week by name: APScheduler counts them from Monday. Raises ValueError."""
    if field == "*":
        return field
    days: set[int] = set()
    for part in field.lower().split(","):
        found = _WEEKDAYS.fullmatch(part)
        first = _day(found["first"] or "0") if found else None
        last = _day(found["last"] or found["first"] or "6") if found else None
        if found is None or first is None or last is None:
            raise ValueError(f"its {_FIELDS[4][1]} is none: {_FIELDS[4][2]}")
        if found["last"] and last == 0:
            last = 7
        if first > last:
            raise ValueError(f"its {_FIELDS[4][1]} has a range that ends before it begins")
        days.update(day % 7 for day in range(first, last + 1, int(found["step"] or 1)))
    return ",".join(_DAYS[day] for day in sorted(days))


def _day(text: str) -> int | None:
    if text in _DAYS:
        return _DAYS.index(text)
    return int(text) if text in set("01234567") else None
