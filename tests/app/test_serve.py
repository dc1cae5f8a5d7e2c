"""`syncer serve` before it answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from syncer.app.cli import execute
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation


@pytest.fixture(name="configuration")
def _configuration(tmp_path: Path, logs: None) -> Path:
    settings = {
        "source": {"url": "postgresql://127.0.0.1:1/nothing"},
        "elasticsearch": {"hosts": "http://127.0.0.1:1"},
        "pipelines": {"articles": {"table": "articles"}},
    }
    path = tmp_path / "syncer.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def serve(configuration: Path, *arguments: str) -> int:
    return execute(["serve", *arguments, "-c", str(configuration)], Invocation({}))


@pytest.mark.parametrize("library", ["fastapi", "jinja2", "uvicorn"])
def test_what_is_not_installed_is_named(
    configuration: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], library: str
) -> None:
    """With the way to get it; every other command does without."""
    monkeypatch.setitem(sys.modules, library, None)
    assert serve(configuration) == ExitCode.CONFIGURATION
    said = capsys.readouterr().err
    assert f"{library}, which is not installed" in said
    assert 'pip install "syncer[serve]"' in said


def test_a_pipeline_that_is_not_there_is_named(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is connected."""
    assert serve(configuration, "article") == ExitCode.CONFIGURATION
    assert "there is articles" in capsys.readouterr().err


def test_a_source_that_is_away_ends_the_start(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its catalogue tells which fields there are."""
    assert serve(configuration) == ExitCode.UNREACHABLE
    assert "Traceback" not in capsys.readouterr().err
