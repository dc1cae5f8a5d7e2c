"""Time."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time, and waiting for it."""

    def now(self) -> datetime:
        """Return the time, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def wait(self, seconds: float) -> bool:
        """Wait, and return early with True when the process is asked to stop."""

    def stopping(self) -> bool:
        """Tell whether the process is asked to stop."""

    def alarm(self) -> Alarm:
        """Return an alarm for one thread that waits."""


class Alarm(Protocol):
    """Waiting that others may end."""

    @property
    def rung_at(self) -> float:
        """When there was last a reason to ring it, on the monotonic scale; before all time: never."""

    def ring(self, at: float) -> None:
        """End the wait, or the next one where nobody waits; at: `rung_at`. For any thread; never raises."""

    def wait(self, seconds: float) -> bool:
        """Wait, and return early with True when it rings, has rung since the last wait, or the process is asked to
        stop."""
