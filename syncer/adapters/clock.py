"""The system's clock."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class SystemClock:
    """Implements `Clock`; `stop` may be called from a signal handler, and by any thread."""

    def __init__(self) -> None:
        # A bare lock, held until the process is to stop. Not an Event: a signal handler that calls Event.set() while it
        # interrupts Event.wait() on the same thread blocks for ever on the event's own lock.
        self._running = threading.Lock()
        self._running.acquire()
        self._stopping = False

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        if self._running.acquire(timeout=min(max(seconds, 0.0), threading.TIMEOUT_MAX)):
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
