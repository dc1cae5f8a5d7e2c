"""`syncer demo`; CI runs it to its end with `make demo ARGS=--once`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2

from syncer.app.http_server import listening
from syncer.app.serve_settings import host_and_port
from syncer.core.error import ConfigurationError


def test_ctrl_c_ends_the_demo_cleanly(open_path: Path) -> None:
    """In the middle of the load: exit 0, no traceback, no server and no file left behind."""
    process = _demo(open_path)
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert any(line.startswith("Indexing") for line in process.stdout), process.stderr.read()
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()  # or its end would be waited for, whatever it does
    assert (process.returncode, errors) == (0, "")
    assert list(open_path.iterdir()) == []


def test_the_last_line_leads_to_the_page(open_path: Path) -> None:
    """On a free port where the usual one is taken; it finds what the demo has loaded, and Ctrl-C ends it too."""
    with _taken("127.0.0.1:8080"):
        process = _demo(open_path)
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                url = next((line.strip() for line in process.stdout if line.startswith("  http://")), None)
                assert url is not None, process.stderr.read()
                assert host_and_port(url.removeprefix("http://"))[1] != 8080
                with httpx2.Client(base_url=url, timeout=60) as client:
                    found = client.get("/", params={"q": "parse command line options"}).text
                    status = client.get("/status").text
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=60)
            finally:
                process.kill()
    assert "getopt" in found
    assert "following" in status
    assert (process.returncode, errors) == (0, "")


def _taken(where: str) -> socket.socket:
    """Return a socket that listens there, where nobody else does."""
    try:
        return listening(where)
    except ConfigurationError:
        return socket.socket()


def _demo(open_path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "syncer", "demo"],
        env={**os.environ, "TMPDIR": str(open_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
