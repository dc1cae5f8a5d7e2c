"""A copy of syncer in which one protection is switched off."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_COPIED = ("syncer", "tests", "migrations")
#: A mutant that makes a history endless is found out too.
_SECONDS_MAX = 60


@dataclass(frozen=True)
class Edit:
    """One snippet of a file in place of another."""

    path: str
    snippet: str
    replacement: str


@dataclass(frozen=True)
class Mutant:
    """What is switched off, and what shows it: seeds of histories, or tests."""

    protection: str
    edits: tuple[Edit, ...]
    shown_by: tuple[str, ...]

    @property
    def by_histories(self) -> bool:
        return self.shown_by[0].isdecimal()

    def __str__(self) -> str:
        return self.protection


def copy_to(folder: Path) -> None:
    """Put syncer and its tests where they can be edited."""
    for name in _COPIED:
        shutil.copytree(_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(_ROOT / "pyproject.toml", folder)


def apply(edit: Edit, folder: Path) -> None:
    """Edit a copy. Fails where the snippet is not there exactly once: then the mutant needs care."""
    path = folder / edit.path
    text = path.read_text()
    assert text.count(edit.snippet) == 1, (
        f"{edit.path} holds this {text.count(edit.snippet)} times and not once; the mutant needs care:\n{edit.snippet}"
    )
    path.write_text(text.replace(edit.snippet, edit.replacement))


def replay(shown_by: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    """Play histories, or run a test, on a copy; status 1 where something was wrong."""
    command = [sys.executable, "-m", "tests.mutation.replay", *shown_by]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS_MAX, check=False)
    assert str(folder) in done.stdout, f"another syncer was run:\n{done.stdout}{done.stderr}"
    return done
