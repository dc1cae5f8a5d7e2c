"""SIGTERM and Ctrl-C ask the process to stop, and see that it does; a second one ends it at once."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from syncer.adapters.clock import SystemClock

#: How long the process may take to settle what was acknowledged, and to end by itself; five seconds are promised.
PATIENCE_SECONDS = 4.0
#: How long the last log line may take: standard error may be a pipe that nobody reads.
_FAREWELL_SECONDS = 0.2
#: What a shell reports of a process that a signal ended.
_ENDED_BY_SIGNAL = 128


@contextmanager
def stopped_by_signals(
    clock: SystemClock, code: int, *, begun: Callable[[], bool] = lambda: True, tidy: bool = False
) -> Iterator[None]:
    """Have signals stop the clock, and end the process with this code where it does not end by itself in time.

    begun: tells whether there may be something to settle; where there is not, the process ends at once. So it does not
    have to hear a second time while a library is loaded: the loading of torch keeps all threads still for seconds.

    tidy: wait for the end however long it takes, because something has to be cleared away that does not end by itself.

    Main thread only. Nothing is lost by the end: the state is durable. The clock is stopped in any case at the exit.
    """
    left = threading.Event()
    heard, told = socket.socketpair()

    def hear() -> None:
        with heard:
            while number := heard.recv(1):
                if clock.stopping():
                    os._exit(_ENDED_BY_SIGNAL + number[0])
                if not tidy and not begun():
                    os._exit(code)
                clock.stop()

    def watch() -> None:
        clock.wait(threading.TIMEOUT_MAX)
        if not tidy and not left.wait(PATIENCE_SECONDS):
            _give_up(code)

    for thread in (hear, watch):
        threading.Thread(target=thread, name="stop", daemon=True).start()
    # A thread hears of signals through a socket. Rejected: handlers; they run on the main thread alone, which does not
    # hear of a signal that came just before it waited for something, until that is over.
    told.setblocking(False)
    wakes_before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, _handled_elsewhere) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        left.set()
        signal.set_wakeup_fd(wakes_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        told.close()
        clock.stop()


def _handled_elsewhere(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: without a handler there would be no word through the socket."""


def leave(code: int) -> NoReturn:
    """End the process at once.

    Not by sys.exit(): the interpreter would wait for threads that hang in a call, and take seconds to clear away torch.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _give_up(code: int) -> NoReturn:
    main = threading.main_thread()
    busy = sorted(each.name for each in threading.enumerate() if not each.daemon and each is not main)

    def say() -> None:
        # Imported late: the command line must not wait for it, and whoever logs has it already.
        import structlog

        structlog.get_logger().warning("stopped without waiting for all threads", threads=busy)

    said = threading.Thread(target=say, daemon=True)
    said.start()
    said.join(_FAREWELL_SECONDS)
    os._exit(code)
