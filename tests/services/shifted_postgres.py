"""A Postgres whose clock can be set, while that of the test goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.services.postgres import OwnPostgres, bin_dir


class ShiftedPostgres(OwnPostgres):
    """A server under a library that adds an offset to the time of day. Skips the test where there is no C compiler."""

    def __init__(self) -> None:
        super().__init__(bin_dir())
        self._offset = self.directory / "offset"
        self._library = self.directory / "clock_shim.so"
        compiler = shutil.which("cc")
        if compiler is None:
            self.delete()
            pytest.skip("needs a C compiler, cc")
        source = Path(__file__).with_name("clock_shim.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", self._library, source, "-ldl"], check=True)
        self.shift(0)

    def shift(self, seconds: int) -> None:
        """Let the server's clock be so many seconds ahead of this machine's, or behind it."""
        with self._offset.open("r+b" if self._offset.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))

    def _run(self, script: str, args: Sequence[str | Path], ready: str, **options: Any) -> None:
        environment = {**os.environ, "LD_PRELOAD": str(self._library), "CLOCK_OFFSET": str(self._offset)}
        super()._run(script, args, ready, env=environment, **options)
