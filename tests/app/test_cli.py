"""The command line, as far as it needs no server."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from syncer import __version__
from syncer.app.cli import app, execute
from syncer.app.invocation import Invocation

pytestmark = pytest.mark.usefixtures("logs")

#: Nothing listens there.
NOWHERE = """
source: {url: "postgresql://reader:hunter2@127.0.0.1:1/shop"}
elasticsearch: {hosts: http://127.0.0.1:1}
pipelines:
  articles: {table: public.articles}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "other.yaml"
    path.write_text(NOWHERE)
    return path


def syncer(*arguments: str) -> int:
    return execute(list(arguments), Invocation({}))


def test_help_and_version_answer_at_once_without_heavy_imports() -> None:
    """Whoever looks up an option must not wait for torch, nor for a client."""
    heavy = "{'torch', 'sentence_transformers', 'elasticsearch', 'sqlalchemy', 'psycopg', 'alembic', 'structlog'}"
    code = (
        "import sys; from syncer.app.cli import execute; from syncer.app.invocation import Invocation;"
        "code = execute(sys.argv[1:], Invocation({}));"
        f"sys.exit(code or 40 * bool({heavy} & set(sys.modules)))"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([sys.executable, "-c", code, "run", "--help"], check=True, capture_output=True)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 0.5
    done = subprocess.run([sys.executable, "-m", "syncer", "version"], check=True, capture_output=True, text=True)
    assert done.stdout == f"{__version__}\n"


def test_every_command_has_help() -> None:
    """And so has every one of its options and arguments."""
    commands = [("syncer", typer.main.get_command(app))]
    for name, command in commands:
        if isinstance(command, typer.core.TyperGroup):
            commands += [(f"{name} {part}", each) for part, each in command.commands.items()]
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"
    assert "syncer dead-letters replay" in dict(commands)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["run", "--nonsense"], ["backfill"], ["--log-level", "loud", "version"]]
)
def test_a_wrong_command_line_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing on standard output, no traceback."""
    assert syncer(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err


def test_a_missing_file_is_one_message(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With what to do, and nothing on standard output."""
    assert syncer("-c", str(tmp_path / "nowhere.yaml"), "run") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"syncer: there is no configuration file {tmp_path}/nowhere.yaml",
        "  → name it with -c FILE or SYNCER_CONFIG",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "FILE", "run"],
        ["run", "-c", "FILE"],
        ["run", "--once", "--config=FILE"],
        ["run", "--debug", "-c", "FILE"],
    ],
)
def test_the_file_may_be_named_before_and_after_the_command(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Both are what people try."""
    assert syncer(*arguments) == 2
    assert "there is no configuration file FILE" in capsys.readouterr().err


def test_an_unknown_pipeline_is_told_with_the_known_ones(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is connected."""
    assert syncer("run", "artcles", "-c", str(config)) == 2
    assert "articles" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["run", "--once"], ["migrate"], ["backfill", "articles"]])
def test_an_unreachable_server_is_one_message_without_secrets(
    arguments: list[str], config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It names the setting; the traceback is for --debug, and holds no secret either."""
    assert syncer(*arguments, "-c", str(config)) == 3
    out, err = capfd.readouterr()
    assert out == ""
    assert "syncer: source.url: " in err or "syncer: state.url: " in err
    assert "Traceback" not in err
    assert syncer(*arguments, "--debug", "-c", str(config)) == 3
    err = capfd.readouterr().err
    assert "Traceback" in err
    assert "hunter2" not in err


@pytest.mark.parametrize("options", [[], ["--log-format", "console"], ["--debug"]])
def test_with_json_the_error_is_json_too(options: list[str], config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One line on standard error, like those of the log, with the exit code; without secrets."""
    assert syncer("backfill", "articles", "--json", *options, "-c", str(config)) == 3
    out, err = capfd.readouterr()
    assert out == ""
    line = json.loads(err.splitlines()[-1])
    assert (line["event"], line["level"], line["exit_code"]) == ("error", "error", 3)
    assert line["message"].startswith("state.url: ") or line["message"].startswith("source.url: ")
    assert line["hint"]
    assert ("exception" in line) == (options == ["--debug"])
    assert "hunter2" not in err


def test_a_bug_is_one_line(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback is for --debug."""

    class Broken(dict[str, str]):
        def get(self, *_: object) -> str:
            raise ValueError("nobody foresaw this")

    config.write_text(NOWHERE.replace("public.articles", "'${TABLE:-articles}'"))
    assert execute(["run", "-c", str(config)], Invocation(Broken())) == 4
    err = capsys.readouterr().err
    assert err.startswith("syncer: unexpected ValueError: nobody foresaw this")
    assert "Traceback" not in err


STOPPABLE = """
import os
import signal
import structlog
from syncer.adapters.clock import SystemClock
from syncer.app.stop_signal import stopped_by_signals
clock = SystemClock()
with stopped_by_signals(clock, 7):
    if os.environ["STUBBORN"] == "deaf":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    print("ready", flush=True)
    clock.wait(60)
    print("stopping", flush=True)
    if os.environ["STUBBORN"] == "1":
        import threading
        threading.Event().wait(60)
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait(number: signal.Signals) -> None:
    """The process ends in its own way."""
    with _stoppable("") as process:
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    assert out.split() == ["stopping", "stopped"]
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_the_main_thread_does_not_hear_ends_the_wait(number: signal.Signals) -> None:
    """As when it comes just before that thread waits for others: it is told no earlier than at their end."""
    with _stoppable("deaf") as process:
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    assert out.split() == ["stopping", "stopped"]
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(number: signal.Signals) -> None:
    """Whatever the process hangs on; the exit code is what a shell reports of a process that a signal ended."""
    with _stoppable("1") as process:
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(number)
        process.communicate(timeout=20)
    assert process.returncode == 128 + number


def test_a_process_that_hangs_ends_within_five_seconds_of_the_signal() -> None:
    """With the exit code of the command, and a line that names what it did not wait for."""
    with _stoppable("1") as process:
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert time.monotonic() - sent < 5
    assert process.returncode == 7
    assert "stopped without waiting for all threads" in out
    assert "stopped" not in out.splitlines()


def _stoppable(stubborn: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPABLE], stdout=subprocess.PIPE, text=True, env={**os.environ, "STUBBORN": stubborn}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process
