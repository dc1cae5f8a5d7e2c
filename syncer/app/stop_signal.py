"""SIGTERM and Ctrl-C ask the process to stop; a second Ctrl-C ends it at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from syncer.adapters.clock import SystemClock

#: What a shell reports of a process that SIGINT ended.
INTERRUPTED = 130


@contextmanager
def stopped_by_signals(clock: SystemClock) -> Iterator[None]:
    """Have signals stop the clock; main thread only. Nothing is lost by the second Ctrl-C: the state is durable."""

    def stop(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and clock.stopping():
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        clock.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
