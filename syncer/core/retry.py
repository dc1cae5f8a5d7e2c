"""How long to wait before another attempt."""

from __future__ import annotations

from collections.abc import Callable

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


def backoff_seconds(attempt: int, random: Callable[[], float], retry_after: float | None = None) -> float:
    """Return the wait before attempt number `attempt` (1 is the first retry).

    Exponential with "equal jitter": half of it fixed, so that an outage is not hammered, half random, so that many
    workers do not come back at once. `random` gives [0, 1). A longer wait that the other side asked for is honoured up
    to the cap.
    """
    ceiling = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt - 1, 16))
    wait = ceiling / 2 + ceiling / 2 * random()
    return max(wait, min(retry_after, LONGEST_SECONDS)) if retry_after else wait
