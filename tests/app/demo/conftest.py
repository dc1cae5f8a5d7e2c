"""A folder for servers that run as another user."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that other users may enter: those of tmp_path are closed to them."""
    with tempfile.TemporaryDirectory(prefix="syncer-test-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
