"""The command line."""

from __future__ import annotations

import gc
import os
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer._completion_classes import completion_init
from typer.completion import shell_complete
from typer.core import TyperGroup

from syncer import __version__
from syncer.app import dead_letters_cli, operate_cli, rebuild_cli, search_cli, sync_cli
from syncer.app.argument import Json
from syncer.app.exit_code import ExitCode, exit_code
from syncer.app.invocation import Invocation
from syncer.app.stop_signal import leave

# Commands are imported where they are called: `syncer --help` must not wait for torch, nor for any client.

#: By it a shell asks for completions, with the words so far in others.
COMPLETE_VARIABLE = "_SYNCER_COMPLETE"


class LogLevel(StrEnum):
    """What is logged at least."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """`auto`: for people on a terminal, unless the result is asked for as JSON; else JSON."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class Group(TyperGroup):
    """Takes the options that hold for every command after the command's name too: `syncer run -c other.yaml`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        options = {name: not getattr(option, "is_flag", False) for option in self.params for name in option.opts}
        first: list[str] = []
        rest: list[str] = []
        arguments = iter(args)
        for argument in arguments:
            if argument == "--":
                rest += [argument, *arguments]
            elif argument in options:
                first += [argument, *([value] if options[argument] and (value := next(arguments, None)) else [])]
            elif argument.partition("=")[0] in options:
                first.append(argument)
            else:
                rest.append(argument)
        return super().parse_args(ctx, first + rest)


app = typer.Typer(
    name="syncer",
    help="Keeps an Elasticsearch index equal to Postgres tables, with embeddings.",
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# In the order of --help.
for part in (sync_cli.app, rebuild_cli.app, search_cli.app, operate_cli.app):
    app.add_typer(part)
app.add_typer(dead_letters_cli.app, name="dead-letters")


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("-c", "--config", envvar="SYNCER_CONFIG", help="The configuration file.")
    ] = Path("syncer.yaml"),
    log_level: Annotated[
        LogLevel, typer.Option("--log-level", envvar="SYNCER_LOG_LEVEL", help="What is logged at least.")
    ] = LogLevel.INFO,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", envvar="SYNCER_LOG_FORMAT", help="auto: JSON unless on a terminal.")
    ] = LogFormat.AUTO,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="SYNCER_DEBUG", help="Show the traceback of an error.")
    ] = False,
) -> None:
    invocation: Invocation = context.obj
    invocation.config, invocation.debug = config, debug
    invocation.log_level, invocation.log_format = log_level.value, log_format.value


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit after the examples.")] = False,
    directory: Annotated[Path | None, typer.Option("--dir", help="Keep the data there for the next demo.")] = None,
) -> None:
    """See it at work: an embedded Postgres, a search engine and a model, on the documentation of this Python."""
    from syncer.app.demo.demo import run_demo

    raise typer.Exit(run_demo(once, directory))


class Shell(StrEnum):
    """Those that there is a completion for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def version(
    context: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="With those of Python, of the libraries, and of the state schema it needs.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the version."""
    context.obj.json = json
    if not everything:
        context.obj.show({"version": __version__}, lambda: __version__)
        return
    from syncer.app.commands.version import shown, versions

    found = versions()
    context.obj.show(found, lambda: shown(found))


@app.command()
def completion(shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")]) -> None:
    """Print what makes a shell complete commands and options: eval "$(syncer completion bash)"."""
    completion_init()
    shell_complete(typer.main.get_command(app), {}, "syncer", COMPLETE_VARIABLE, f"source_{shell.value}")


def main() -> NoReturn:
    """Run the command line of this process."""
    # Rows pass by as small objects without cycles. To look for some at Python's own thresholds takes a quarter of the
    # processor's time in a load, half of it in a comparison, and stops all threads for a tenth of a second each time.
    gc.set_threshold(50_000, 20, 20)
    threading.excepthook = _thread_ended
    leave(execute(sys.argv[1:], Invocation(os.environ)))


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    from syncer.app.log import thread_ended

    thread_ended(ended)


def execute(arguments: list[str], invocation: Invocation) -> int:
    """Run a command line and return its exit code; says on standard error what went wrong."""
    if COMPLETE_VARIABLE in invocation.env:
        completion_init()
    try:
        app(arguments, prog_name="syncer", obj=invocation)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.DONE
    except Exception as error:  # a bug, too, ends in one message and an exit code
        invocation.tell(error)
        return exit_code(error)
    return ExitCode.DONE
