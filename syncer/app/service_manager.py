"""Tells systemd how the daemon is, by sd_notify(3): a datagram to the socket in NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog

from syncer.ports import Clock

#: What systemd takes for a sign of life comes so many times within the time after which it gives up.
_PER_WATCHDOG = 3


@contextmanager
def told_to_systemd(env: Mapping[str, str], clock: Clock, stuck: Callable[[float], Sequence[str]]) -> Iterator[None]:
    """Say that the service is ready, that it is alive while nothing is stuck, and that it stops.

    stuck: returns what has not moved for so many seconds, though it should. Does nothing where no one asked for word.
    """
    address = env.get("NOTIFY_SOCKET", "")
    if not address:
        yield
        return
    # A name that begins with @ is in the abstract namespace.
    address = "\0" + address[1:] if address.startswith("@") else address
    _send(address, "READY=1")
    lives = (address, watchdog_seconds(env), clock, stuck)
    threading.Thread(target=_live, args=lives, name="systemd", daemon=True).start()
    try:
        yield
    finally:
        _send(address, "STOPPING=1")


def watchdog_seconds(env: Mapping[str, str]) -> float | None:
    """Return after how long without a sign of life systemd ends this process; None: it does not look."""
    microseconds, pid = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 1e6


def _live(address: str, watchdog: float | None, clock: Clock, stuck: Callable[[float], Sequence[str]]) -> None:
    told: Sequence[str] = ()
    while not clock.wait(threading.TIMEOUT_MAX if watchdog is None else watchdog / _PER_WATCHDOG):
        if watchdog is None:
            continue
        found = stuck(watchdog)
        if not found:
            _send(address, "WATCHDOG=1")
        elif found != told:
            structlog.get_logger().error("nothing moves: systemd is told no more that all is well", pipelines=found)
        told = found
    # At once: what was begun may take seconds to end.
    _send(address, "STOPPING=1")


def _send(address: str, state: str) -> None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as there:
            there.settimeout(1)
            there.sendto(state.encode(), address)
    except OSError as error:
        structlog.get_logger().warning("systemd cannot be told", state=state, error=str(error))
