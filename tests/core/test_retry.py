"""Waiting before another attempt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncer.core.retry import (
    LONGEST_ASKED_SECONDS,
    LONGEST_REDELIVERY_SECONDS,
    LONGEST_SECONDS,
    backoff_seconds,
    redelivery_seconds,
)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_wait_is_jittered_and_bounded(attempt: int, chance: float) -> None:
    """Never zero, never above the cap, whatever the attempt."""
    assert 0.25 <= backoff_seconds(attempt, lambda: chance) <= LONGEST_SECONDS


def test_waits_grow() -> None:
    """Each attempt waits longer than the one before, up to the cap."""
    waits = [backoff_seconds(attempt, lambda: 0.0) for attempt in range(1, 6)]
    assert waits == sorted(set(waits))


def test_what_the_other_side_asks_for_is_honoured_up_to_the_cap() -> None:
    """Retry-After lengthens the wait beyond the own one's cap, cannot make it endless, and never shortens it."""
    assert backoff_seconds(1, lambda: 0.0, retry_after=12.0) == 12.0
    assert backoff_seconds(9, lambda: 0.0, retry_after=1.0) == LONGEST_SECONDS / 2
    assert backoff_seconds(1, lambda: 0.0, retry_after=2 * LONGEST_SECONDS) == 2 * LONGEST_SECONDS
    assert backoff_seconds(1, lambda: 0.0, retry_after=1e6) == LONGEST_ASKED_SECONDS


def test_redelivery_waits_twice_as_long_each_time_up_to_the_cap() -> None:
    """Whatever the number of attempts."""
    waits = [redelivery_seconds(attempts) for attempts in (*range(1, 9), 10_000)]
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, LONGEST_REDELIVERY_SECONDS]
