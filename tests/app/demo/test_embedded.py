"""Embedded servers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from syncer.app.demo.embedded import EmbeddedSearch, package_folder
from syncer.core.error import ConfigurationError
from tests.services.postgres import OwnPostgres

_START = """
import sys
from pathlib import Path
from syncer.app.demo.embedded import EmbeddedPostgres, EmbeddedSearch
servers = EmbeddedPostgres(Path(sys.argv[1]) / "postgres"), EmbeddedSearch(Path(sys.argv[1]) / "search")
for server in servers:
    server.start()
print("started", flush=True)
sys.stdin.read()
"""


def _eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_servers_end_with_a_process_that_is_killed(open_path: Path) -> None:
    """SIGKILL leaves no Postgres and no search engine behind."""
    process = subprocess.Popen(
        [sys.executable, "-c", _START, str(open_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"

        def running() -> list[psutil.Process]:
            return [each for each in psutil.process_iter() if str(open_path) in " ".join(_command(each))]

        assert {"postgres", "noida-db"} <= {each.name() for each in running()}
        process.kill()
        process.wait()
        assert _eventually(lambda: not running())


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_postgres_asks_for_its_password() -> None:
    """Another user of this machine does not become a superuser."""
    server = OwnPostgres()
    try:
        server.start()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url(), password="guessed")
    finally:
        server.delete()


def test_a_server_that_cannot_start_names_its_log(tmp_path: Path) -> None:
    """A port that is taken is a clear error, not a wait without end."""
    first = EmbeddedSearch(tmp_path / "first")
    first.start()
    second = EmbeddedSearch(tmp_path / "second")
    second.port = first.port
    try:
        with pytest.raises(ConfigurationError, match="EmbeddedSearch did not start") as raised:
            second.start()
        assert str(tmp_path / "second" / "log") in raised.value.hint
    finally:
        first.stop()


def test_a_missing_package_says_what_to_install() -> None:
    """Without the demo extra there is one clear line."""
    with pytest.raises(ConfigurationError, match="not_there is not installed") as raised:
        package_folder("not_there")
    assert raised.value.hint == 'pip install "syncer[demo]"'
