"""What `pip install` brings beside Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from syncer.app.web.rendering import STATIC

ROOT = Path(__file__).parents[2]


def test_a_wheel_brings_what_the_pages_are_made_of(tmp_path: Path) -> None:
    """Templates, and the files that browsers load."""
    build = [sys.executable, "-m", "pip", "--no-cache-dir", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "-q", "-w", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    brought = {Path(name) for name in ZipFile(wheel).namelist()}
    here = {path.relative_to(ROOT) for path in (ROOT / "syncer/app/web/templates").iterdir()}
    assert len(here) > 1
    assert here | {Path("syncer/app/web/static", name) for name in STATIC} <= brought
