"""The command line's part for dead letters."""

from __future__ import annotations

from typing import Annotated

import typer

from syncer.app.argument import Json, Pipeline, examples

app = typer.Typer(
    help="Look at rows that could not be indexed, deliver them again, or forget them.", no_args_is_help=True
)

Key = Annotated[str, typer.Argument(metavar="KEY", help="The document's id.")]
Keys = Annotated[list[str] | None, typer.Argument(metavar="KEY", help="Document ids; left out: all of them.")]
Kind = Annotated[str | None, typer.Option("--kind", help="Those of this kind alone, as `list` names it.")]


@app.command("list")
def list_(
    context: typer.Context,
    pipeline: Pipeline,
    kind: Kind = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many causes, the commonest first.")] = 20,
    json: Json = False,
) -> None:
    """Print the dead letters by kind and cause."""
    from syncer.app.commands.dead_letters import Choice, list_letters

    context.obj.json = json
    raise typer.Exit(list_letters(context.obj, pipeline, Choice(kind), limit))


@app.command()
def show(context: typer.Context, pipeline: Pipeline, key: Key, json: Json = False) -> None:
    """Print all that is known of one dead letter."""
    from syncer.app.commands.dead_letters import show_letter

    context.obj.json = json
    raise typer.Exit(show_letter(context.obj, pipeline, key))


@app.command(epilog=examples("syncer dead-letters replay articles", "syncer dead-letters replay articles 17 42"))
def replay(
    context: typer.Context, pipeline: Pipeline, keys: Keys = None, kind: Kind = None, json: Json = False
) -> None:
    """Deliver their rows as they are now; safe while the daemon runs. A row that is written well is one no more."""
    from syncer.app.commands.dead_letters import Choice, replay_letters

    context.obj.json = json
    raise typer.Exit(replay_letters(context.obj, pipeline, Choice(kind, keys or [])))


@app.command()
def discard(
    context: typer.Context,
    pipeline: Pipeline,
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY", help="Document ids.")] = None,
    kind: Kind = None,
    all_: Annotated[bool, typer.Option("--all", help="Every one of the pipeline.")] = False,
    json: Json = False,
) -> None:
    """Forget them. What the index holds of their rows stays as it is until they change."""
    from syncer.app.commands.dead_letters import Choice, discard_letters

    context.obj.json = json
    raise typer.Exit(discard_letters(context.obj, pipeline, Choice(kind, keys or []), all_=all_))
