"""When cron expressions are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syncer.app.cron import Cron, weekdays

BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def next_times(cron: Cron, after: str, count: int) -> list[str]:
    times, time = [], utc(after)
    for _ in range(count):
        found = cron.next(time)
        assert found is not None
        times.append(f"{found:%m-%d %H:%M}")
        time = found
    return times


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", "sun"),
        ("7", "sun"),
        ("1-5", "mon,tue,wed,thu,fri"),
        ("5-7", "sun,fri,sat"),
        ("sat-sun", "sun,sat"),
        ("*/2", "sun,tue,thu,sat"),
        ("1-5/2,SUN", "sun,mon,wed,fri"),
        ("*", "*"),
    ],
)
def test_days_are_counted_from_sunday(field: str, days: str) -> None:
    """As by every other cron; the scheduler's own counting begins on Monday."""
    assert weekdays(field) == days


def test_a_sunday_is_a_sunday() -> None:
    """2026-11-22 is one."""
    assert next_times(Cron.of("0 5 * * 0", "UTC"), "2026-11-20", 2) == ["11-22 05:00", "11-29 05:00"]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("0 3 * *", "must have five fields"),
        ("@daily", "must have five fields"),
        ("60 3 * * *", "its minute is none: 0 to 59"),
        ("0 24 * * *", "its hour is none"),
        ("0 3 0 * *", "its day of the month is none"),
        ("0 3 * 13 *", "its month is none"),
        ("0 3 * * 8", "its day of the week is none"),
        ("0 3 * * mo", "its day of the week is none"),
        ("0 3 * * 5-1", "ends before it begins"),
        ("*/0 3 * * *", "its minute is none"),
        ("0 3 1 * 1", "either the day of the month or the day of the week"),
        ("0 3 31 2 *", "never comes"),
    ],
)
def test_what_is_wrong_is_told(expression: str, said: str) -> None:
    """By field."""
    with pytest.raises(ValueError, match=said):
        Cron.of(expression, "UTC")


def test_a_time_that_the_clocks_skip_comes_once() -> None:
    """In the night to 2026-03-29, 02:30 follows 01:59 nowhere in Berlin; it comes at 03:30, which is 01:30 UTC."""
    assert next_times(Cron.of("30 2 * * *", BERLIN), "2026-03-27T12:00", 3) == [
        "03-28 01:30",
        "03-29 01:30",
        "03-30 00:30",
    ]


def test_a_time_that_the_clocks_repeat_comes_once() -> None:
    """In the night to 2026-10-25, 02:30 comes twice in Berlin: the first one counts."""
    cron = Cron.of("30 2 * * *", BERLIN)
    assert next_times(cron, "2026-10-23T12:00", 3) == ["10-24 00:30", "10-25 00:30", "10-26 01:30"]
    assert cron.latest(utc("2026-10-25T00:30"), utc("2026-10-25T12:00")) is None


def test_every_hour_comes_in_an_hour_that_is_repeated_too() -> None:
    """It is twenty-five hours to a day then."""
    cron = Cron.of("0 * * * *", BERLIN)
    assert next_times(cron, "2026-10-24T23:30", 3) == ["10-25 00:00", "10-25 01:00", "10-25 02:00"]


@pytest.mark.parametrize("days", [0, 1, 3, 400])
def test_the_latest_time_is_found_however_long_ago_the_first_was(days: int) -> None:
    """Not after the end, and after the beginning."""
    cron, until = Cron.of("*/10 * * * *", "UTC"), utc("2026-11-22T12:09:59")
    latest = utc("2026-11-22T12:00")
    assert cron.latest(latest - timedelta(days=days, seconds=1), until) == latest
    assert cron.latest(latest, until) is None
    assert cron.latest(latest - timedelta(seconds=1), latest) == latest


def test_jitter_makes_late_and_never_early() -> None:
    """And leaves the times themselves as they are."""
    cron, now = Cron.of("0 3 * * *", "UTC"), utc("2026-11-22T12:00")
    due = utc("2026-11-23T03:00")
    times = {cron.jittered(30.0).get_next_fire_time(None, now) for _ in range(20)}
    assert all(due <= time <= due + timedelta(seconds=30) for time in times)
    assert len(times) > 1
    assert cron.next(now) == due
