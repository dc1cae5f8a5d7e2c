"""What a release is made of."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from syncer import __version__
from syncer.adapters.postgres import migrate
from syncer.app.commands.version import state_schema
from tools.release import faults

ROOT = Path(__file__).parents[2]
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-05-04\n\n### Added\n\n- This.\n"


@pytest.fixture(name="dist", scope="module")
def _dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist of the tree, and the wheel made of it: so that both are whole."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder], cwd=ROOT, check=True)
    (sdist,) = folder.glob("*.tar.gz")
    wheel = [sys.executable, "-m", "pip", "--no-cache-dir", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*wheel, "-w", folder, sdist], check=True)
    return folder


def test_the_sdist_has_what_the_program_is_built_and_understood_by(dist: Path) -> None:
    """Source, migrations, licence, documentation, pins; and nothing of what is built."""
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "constraints.txt", "docs/install.md", "syncer/app/cli.py"} <= names
    assert {"migrations/env.py", "deploy/systemd/syncer.service"} <= names
    assert [name for name in names if name.split("/")[0] in {".venv", "dist", "site", "build"}] == []


def test_the_wheel_works_in_a_fresh_environment(dist: Path, tmp_path: Path) -> None:
    """Away from the checkout: its command, with what it brings besides code."""
    (wheel,) = dist.glob("*.whl")
    assert "syncer/py.typed" in ZipFile(wheel).namelist()
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True)
    # What it depends on is taken from here: there may be no network.
    (packages,) = (tmp_path / "venv").glob("lib/*/site-packages")
    here = {str(Path(module.__file__ or "").parents[1]) for module in (pytest, __import__("typer"))}
    (packages / "here.pth").write_text("\n".join(here))
    syncer = tmp_path / "venv" / "bin" / "syncer"

    def said(*arguments: str) -> str:
        done = subprocess.run([syncer, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout

    assert "Usage: syncer" in said("--help")
    versions = dict(line.split("  ", 1) for line in said("version", "--all").splitlines())
    told = {name: value.strip() for name, value in versions.items()}
    assert told["syncer"] == __version__
    assert told["installed at"] == str(packages / "syncer")
    assert told["state schema"] == state_schema()


def test_the_revision_that_is_told_is_the_one_that_is_needed(postgres_url: str) -> None:
    """It is read off the names of files, where alembic follows what they say."""
    assert migrate.revision(postgres_url, "syncer")[1] == state_schema()


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, None),
        ({"changed": " M README.md"}, "not clean"),
        ({"tags": ["v1.2.3"]}, "tagged already"),
        ({"version": "1.2.4"}, "says nothing of 1.2.4"),
        ({"changelog": CHANGELOG.replace("\n### Added\n\n- This.\n", "")}, "says nothing of 1.2.3"),
        ({"changelog": CHANGELOG.replace("[Unreleased]\n", "[Unreleased]\n\n- That.\n")}, "under Unreleased"),
    ],
)
def test_what_is_in_the_way_of_a_release_is_named(changed: dict[str, object], fault: str | None) -> None:
    """Before anything is built."""
    given: dict[str, object] = {"version": "1.2.3", "changelog": CHANGELOG, "tags": ["v1.2.2"], "changed": ""} | changed
    found = list(faults(**given))  # type: ignore[arg-type]
    assert len(found) == (fault is not None)
    assert fault is None or fault in found[0]
