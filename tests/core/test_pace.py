"""How much is sent at once."""

from __future__ import annotations

from syncer.core.pace import SHARE_MIN, Pace


def test_pressure_halves_the_pace_down_to_a_floor_where_something_is_still_sent() -> None:
    """However long it lasts."""
    pace = Pace()
    assert pace.slower().of(1000) == 500
    for _ in range(20):
        pace = pace.slower()
    assert pace.share == SHARE_MIN
    assert (pace.of(1000), pace.of(4), pace.of(1)) == (1, 1, 1)


def test_quiet_answers_bring_the_pace_back_step_by_step() -> None:
    """Slower than pressure takes it down, and not above what the settings allow."""
    pace = Pace().slower().slower()
    assert pace.faster().of(1000) == 312
    for _ in range(30):
        pace = pace.faster()
    assert pace == Pace()
