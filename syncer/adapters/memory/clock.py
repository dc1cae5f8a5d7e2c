"""A clock that is moved by hand."""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime, timedelta

_START = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryClock:
    """Implements `Clock`; waiting lets the time pass at once."""

    def __init__(self, now: datetime = _START) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._monotonic = 0.0
        self._stopping = False

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def wait(self, seconds: float) -> bool:
        if not self._stopping:
            self.advance(max(seconds, 0.0))
        return self._stopping

    def stopping(self) -> bool:
        return self._stopping

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Set the clock forward or, with a negative number, back, while no time passes."""
        with self._lock:
            self._now += timedelta(seconds=seconds)

    def stop(self) -> None:
        """Ask the process to stop. Idempotent."""
        self._stopping = True

    def alarm(self) -> MemoryAlarm:
        return MemoryAlarm(self)


class MemoryAlarm:
    """Implements `Alarm`; once it has rung, no time passes while it is waited for."""

    def __init__(self, clock: MemoryClock) -> None:
        self._clock = clock
        self._rings = False
        self.rung_at = -math.inf

    def ring(self, at: float) -> None:
        self.rung_at = at
        self._rings = True

    def wait(self, seconds: float) -> bool:
        rang, self._rings = self._rings, False
        return rang or self._clock.wait(seconds)
