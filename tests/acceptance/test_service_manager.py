"""The daemon under systemd: what it is told, by a process of its own."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from pathlib import Path

import psycopg

from tests.acceptance.installation import Installation


def test_the_daemon_tells_that_it_is_ready_alive_and_stopping(installation: Installation, tmp_path: Path) -> None:
    """In this order; alive from the beginning, while it loads too."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        installation.configure(index={"replicas": 0})
        installation.env |= {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "900000"}
        with installation.running("run") as daemon:
            assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            daemon.wait_for("loaded")
            daemon.process.send_signal(signal.SIGTERM)
            while (state := manager.recv(100)) == b"WATCHDOG=1":
                pass
            assert state == b"STOPPING=1"
            assert daemon.process.wait(30) == 0


def test_a_poll_that_hangs_gives_no_sign_of_life_until_it_goes_on(installation: Installation, tmp_path: Path) -> None:
    """Here for a lock on the table, which is as long as a server that answers no more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        installation.configure(index={"replicas": 0}, poll={"interval": "50ms"})
        installation.env |= {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "600000"}
        with installation.running("run") as daemon:
            daemon.wait_for("loaded")
            with psycopg.connect(installation.source_url) as other:
                other.execute("LOCK TABLE public.item IN ACCESS EXCLUSIVE MODE")
                daemon.wait_for("nothing moves: systemd is told no more that all is well")
                manager.setblocking(False)
                with suppress(BlockingIOError):
                    while True:
                        manager.recv(100)
            manager.settimeout(60)
            assert manager.recv(100) == b"WATCHDOG=1"
