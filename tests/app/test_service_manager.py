"""What systemd is told, over a socket as it makes one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncer.adapters.clock import SystemClock
from syncer.app.service_manager import told_to_systemd, watchdog_seconds

#: A sign of life is due three times within it.
WATCHDOG = {"WATCHDOG_USEC": "60000"}


@pytest.fixture(name="manager")
def _manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(10)
        yield made


def heard(manager: socket.socket) -> str:
    return manager.recv(100).decode()


def test_it_is_told_of_the_beginning_of_life_and_of_the_end(manager: socket.socket) -> None:
    """In this order; of the end when the process is asked to stop, before it has stopped."""
    clock = SystemClock()
    with told_to_systemd({"NOTIFY_SOCKET": manager.getsockname(), **WATCHDOG}, clock, lambda _: []):
        assert [heard(manager) for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
        clock.stop()
        while (state := heard(manager)) == "WATCHDOG=1":
            pass
        assert state == "STOPPING=1"


def test_what_is_stuck_gives_no_sign_of_life_until_it_moves(manager: socket.socket, logs: None) -> None:
    """For as long as systemd waits; the log says which pipelines these are."""
    clock, asked = SystemClock(), []
    answers = iter([["articles"], ["articles"], []])

    def stuck(seconds: float) -> list[str]:
        asked.append(seconds)
        return next(answers, [])

    with told_to_systemd({"NOTIFY_SOCKET": manager.getsockname(), **WATCHDOG}, clock, stuck):
        assert [heard(manager) for _ in range(2)] == ["READY=1", "WATCHDOG=1"]
        assert asked[:3] == [0.06] * 3
        clock.stop()


def test_without_a_watchdog_there_are_no_signs_of_life(manager: socket.socket) -> None:
    """Only of the beginning and the end; a socket without a file will do."""
    name = f"\0syncer-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
        abstract.bind(name)
        abstract.settimeout(10)
        clock = SystemClock()
        with told_to_systemd({"NOTIFY_SOCKET": f"@{name[1:]}"}, clock, lambda _: []):
            assert heard(abstract) == "READY=1"
        assert heard(abstract) == "STOPPING=1"
        clock.stop()


def test_a_socket_that_is_gone_ends_nothing(tmp_path: Path, logs: None) -> None:
    """Nor does a process without systemd."""
    done = []
    for env in ({"NOTIFY_SOCKET": str(tmp_path / "gone")}, {}):
        clock = SystemClock()
        with told_to_systemd(env, clock, lambda _: []):
            done.append(env)
        clock.stop()
    assert len(done) == 2


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_that_of_this_process(env: dict[str, str], seconds: float | None) -> None:
    """A shell that started it may have one of its own."""
    assert watchdog_seconds(env) == seconds
