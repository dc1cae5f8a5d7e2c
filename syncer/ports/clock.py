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
