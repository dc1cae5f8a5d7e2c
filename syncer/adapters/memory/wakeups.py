"""Wakeups that a test gives."""

from __future__ import annotations

from syncer.adapters.memory.clock import MemoryClock
from syncer.ports import Alarm


class MemoryWakeups:
    """Implements `Wakeups`."""

    def __init__(self, clock: MemoryClock) -> None:
        self._clock = clock
        #: Of all who poll.
        self.alarms: list[Alarm] = []

    def begin(self, alarm: Alarm) -> None:
        self.alarms.append(alarm)

    def end(self, alarm: Alarm) -> None:
        self.alarms.remove(alarm)

    def wake(self) -> None:
        """Ring, whether or not there was a commit."""
        for alarm in self.alarms:
            alarm.ring(self._clock.monotonic())
