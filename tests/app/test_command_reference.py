"""The reference of the commands, and what shells complete."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from syncer import __version__
from syncer.app.command_reference import command_reference
from syncer.app.commands import version
from syncer.app.exit_code import ExitCode

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_the_page_is_up_to_date() -> None:
    """Whoever changes a command generates it again: python -m syncer.app.command_reference > docs/commands.md."""
    assert PAGE.read_text(encoding="utf-8") == command_reference()


def test_every_option_has_a_meaning_and_every_exit_code_is_named() -> None:
    """A row whose last cell is empty explains nothing."""
    page = command_reference()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [row for row in rows if row.endswith("|  |")] == []
    opening = page.partition("\n## ")[0]
    assert re.findall(r"(\d) [a-z]", opening) == [str(code.value) for code in ExitCode]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["syncer", "ver"], ["verify", "version"]),
        (["syncer", "run", "--li"], ["--listen"]),
        (["syncer", "-c", "other.yaml", "dead-letters", ""], ["discard", "list", "replay", "show"]),
        (["syncer", "search", "articles", "text", "--mode", "k"], ["keyword"]),
    ],
)
def test_bash_completes(words: list[str], completed: list[str]) -> None:
    """By the script that `syncer completion bash` prints, as bash calls it when somebody presses Tab."""
    program = str(Path(sys.executable).parent / "syncer")
    script = """
        eval "$("$1" completion bash)"
        program=$1; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        named=$(complete -p syncer); named=${named#*-F }; "${named%% *}" "$program"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", program, *words], check=True, capture_output=True, text=True)
    assert sorted(done.stdout.split()) == completed


@pytest.mark.parametrize(("shell", "mark"), [("zsh", "#compdef syncer"), ("fish", "complete --command syncer")])
def test_other_shells_get_their_own_words(shell: str, mark: str) -> None:
    """Their scripts ask the program, as that of bash does."""
    done = subprocess.run(
        [sys.executable, "-m", "syncer", "completion", shell], check=True, capture_output=True, text=True
    )
    assert mark in done.stdout
    assert f"_SYNCER_COMPLETE=complete_{shell}" in done.stdout


def test_all_versions_are_printed_without_an_import_of_what_is_named() -> None:
    """It answers at once, and where torch is broken."""
    code = (
        "import sys; from syncer.app.cli import execute; from syncer.app.invocation import Invocation;"
        "code = execute(['version', '--all', '--json'], Invocation({}));"
        "sys.exit(code or 40 * bool({'torch', 'sqlalchemy', 'alembic', 'elasticsearch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert found["version"] == __version__
    assert found["state_schema"] == version.state_schema()
    assert found["packages"]["sqlalchemy"][0] == "2"


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """In words for people, as null for programs."""
    monkeypatch.setattr(version, "_PACKAGES", ("sqlalchemy", "no-such-package"))
    found = version.versions()
    assert isinstance(found["packages"], dict)
    assert found["packages"]["no-such-package"] is None
    assert "no-such-package  not installed" in version.shown(found)
