"""Writes the reference of all commands, `docs/commands.md`: `python -m syncer.app.command_reference`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup

from syncer.app.cli import app

_OPENING = """# Commands

<!-- Generated from the command line: python -m syncer.app.command_reference > docs/commands.md -->

What `syncer --help` and the `--help` of each command say. How they are used stands in [operation](operation.md), what
they end with in [exit codes](exit-codes.md): 0 done, 1 something remains, 2 the configuration or the command line,
3 a server cannot be reached, 4 somebody has to act, 5 another process holds the pipeline. `--json` prints one document
on standard output; logs are on standard error.
"""


def command_reference() -> str:
    """Return the page."""
    root: Any = typer.main.get_command(app)
    options = "\n".join(_table(root))
    shared = f"\n## Options of every command\n\nBefore the command's name or after it.\n\n{options}\n"
    return (
        _OPENING + shared + "".join(f"\n{part}" for name, command in _commands(root) for part in _part(name, command))
    )


def _commands(group: TyperGroup, before: str = "syncer") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}", command


def _part(name: str, command: Any) -> Iterator[str]:
    yield f"## `{name}`\n"
    yield "\n\n".join(" ".join(each.split()) for each in (command.help or "").split("\n\n")) + "\n"
    # Not as a block of shell: placeholders are no command line.
    usage = command.collect_usage_pieces(typer.Context(command, info_name=name))
    yield "```\n" + " ".join([name, *(re.sub(r"[{}]", "", piece) for piece in usage)]) + "\n```\n"
    if table := _table(command):
        yield "\n".join(table) + "\n"
    if command.epilog:
        lines = [line.strip() for line in command.epilog.splitlines()[2:]]
        yield "```sh\n" + "\n".join(lines) + "\n```\n"


def _table(command: Any) -> list[str]:
    context = typer.Context(command)
    rows = [_row(param, context) for param in command.params]
    return ["| option | default | meaning |", "|---|---|---|", *rows] if rows else []


def _row(param: Any, context: typer.Context) -> str:
    value = param.metavar or re.sub(r"list\[(.*)\]", r"\1", param.display_type(context).strip("<>"))
    if isinstance(param, TyperArgument):
        name = f"`{param.metavar or param.name}`"
    else:
        name = ", ".join(f"`{option}`" if param.is_flag else f"`{option} {value}`" for option in param.opts)
    meaning = " ".join((param.help or "").split())
    if param.envvar:
        meaning += f" From the environment: `{param.envvar}`."
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in (name, _default(param), meaning))} |"


def _default(param: Any) -> str:
    if param.required:
        return "required"
    default = param.default
    if default is None or default is False or default == []:
        return "–"
    return f"`{default.value if isinstance(default, Enum) else default}`"


if __name__ == "__main__":
    sys.stdout.write(command_reference())
