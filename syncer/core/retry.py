"""How long to wait before another attempt."""

from __future__ import annotations

from collections.abc import Callable

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
#: What the other side asks for is honoured up to this.
LONGEST_ASKED_SECONDS = 300.0

#: Between deliveries of a row that was rejected for a cause that may pass.
FIRST_REDELIVERY_SECONDS = 60
LONGEST_REDELIVERY_SECONDS = 3600


def backoff_seconds(attempt: int, random: Callable[[], float], retry_after: float | None = None) -> float:
    """Return the wait before attempt number `attempt` (1 is the first retry).

    Exponential with "equal jitter": half of it fixed, so that an outage is not hammered, half random, so that many
    workers do not come back at once. `random` gives [0, 1). A longer wait that the other side asked for is honoured, up
    to a cap of its own.
    """
    ceiling = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt - 1, 16))
    wait = ceiling / 2 + ceiling / 2 * random()
    return max(wait, min(retry_after, LONGEST_ASKED_SECONDS)) if retry_after else wait


def redelivery_seconds(attempts: int) -> int:
    """Return the wait before a row that was rejected so many times, at least once, is delivered again by itself."""
    return min(LONGEST_REDELIVERY_SECONDS, FIRST_REDELIVERY_SECONDS << min(attempts - 1, 16))
