"""The system's clock."""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime


class SystemClock:
    """Implements `Clock`; `stop` may be called from a signal handler, and by any thread."""

    def __init__(self) -> None:
        # A bare lock, held until the process is to stop. Not an Event: a signal handler that calls Event.set() while it
        # interrupts Event.wait() on the same thread blocks for ever on the event's own lock.
        self._running = threading.Lock()
        self._running.acquire()
        self._stopping = False
        #: Of alarms that are waited for.
        self._bells: set[threading.Lock] = set()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        if self._running.acquire(timeout=_bounded(seconds)):
            # To the next thread that waits.
            self._running.release()
        return self._stopping

    def stopping(self) -> bool:
        return self._stopping

    def stop(self) -> None:
        """Ask the process to stop: ends every wait, now and later. Idempotent."""
        stopped_before, self._stopping = self._stopping, True
        if not stopped_before:
            self._running.release()
            for bell in tuple(self._bells):
                _ring(bell)

    def alarm(self) -> SystemAlarm:
        return SystemAlarm(self)

    def wait_for(self, bell: threading.Lock, seconds: float) -> bool:
        """Wait until it is released; return early with True then, or when the process is asked to stop."""
        # First, so that a stop after the look rings it.
        self._bells.add(bell)
        try:
            return self._stopping or bell.acquire(timeout=_bounded(seconds)) or self._stopping
        finally:
            self._bells.discard(bell)


class SystemAlarm:
    """Implements `Alarm`."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        # A bare lock for the reason that the clock has one. Held: it has not rung.
        self._bell = threading.Lock()
        self._bell.acquire()
        self.rung_at = -math.inf

    def ring(self, at: float) -> None:
        self.rung_at = at
        _ring(self._bell)

    def wait(self, seconds: float) -> bool:
        return self._clock.wait_for(self._bell, seconds)


def _ring(bell: threading.Lock) -> None:
    # It has rung already.
    with suppress(RuntimeError):
        bell.release()


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), threading.TIMEOUT_MAX)
