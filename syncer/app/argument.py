"""Arguments and options that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Pipeline = Annotated[str, typer.Argument(metavar="PIPELINE", help="Its name in the configuration.")]
Pipelines = Annotated[list[str] | None, typer.Argument(metavar="PIPELINE", help="Left out: all of them.")]
SomePipelines = Annotated[list[str], typer.Argument(metavar="PIPELINE", help="Names in the configuration.")]


def examples(*lines: str) -> str:
    """Return what stands at the end of a command's help."""
    # \b: the lines stay as they are.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
