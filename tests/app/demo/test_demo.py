"""`syncer demo`; CI runs it to its end with `make demo ARGS=--once`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path


def test_ctrl_c_ends_the_demo_cleanly(open_path: Path) -> None:
    """In the middle of the load: exit 0, no traceback, no server and no file left behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "syncer", "demo"],
        env={**os.environ, "TMPDIR": str(open_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
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
