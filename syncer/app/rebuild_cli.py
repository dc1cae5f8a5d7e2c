"""The command line's part for replacing indices."""

from __future__ import annotations

from typing import Annotated

import typer

from syncer.app.argument import Json, Pipeline, Pipelines, examples

# Commands are imported where they are called: `syncer --help` must not wait for torch, nor for any client.

app = typer.Typer()

TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="Where the alias belongs to other indices, take it from them; an index of its name is deleted.",
    ),
]


@app.command(
    epilog=examples(
        "syncer rebuild articles", "syncer rebuild articles --no-swap --workers 4", "syncer rebuild articles --abandon"
    )
)
def rebuild(
    context: typer.Context,
    pipeline: Pipeline,
    no_swap: Annotated[bool, typer.Option("--no-swap", help="Only build it: it waits for `syncer promote`.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Do not go on with an unfinished index.")] = False,
    take_over: TakeOver = False,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Connections to the source.")] = 1,
    give_up: Annotated[
        bool, typer.Option("--abandon", help="Only delete the index that is not finished, or waits.")
    ] = False,
    json: Json = False,
) -> None:
    """Build an index as configured, compare it with the table, and let searches find it; safe while the daemon runs.

    The index before is kept: `syncer rollback`. Killed, the same command goes on where it was.
    """
    from syncer.app.commands.rebuild import abandon
    from syncer.app.commands.rebuild import rebuild as command

    context.obj.json = json
    if give_up:
        if no_swap or restart or take_over:
            raise typer.BadParameter("goes with no other option", param_hint="--abandon")
        raise typer.Exit(abandon(context.obj, pipeline))
    raise typer.Exit(
        command(context.obj, pipeline, swaps=not no_swap, restart=restart, take_over=take_over, workers=workers)
    )


@app.command()
def promote(context: typer.Context, pipeline: Pipeline, take_over: TakeOver = False, json: Json = False) -> None:
    """Let searches find the index that `syncer rebuild --no-swap` has built; without one, the live index again."""
    from syncer.app.commands.rebuild import promote as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipeline, take_over=take_over))


@app.command()
def rollback(context: typer.Context, pipeline: Pipeline, take_over: TakeOver = False, json: Json = False) -> None:
    """Let searches find the index again that was kept last, once it holds all that is committed."""
    from syncer.app.commands.rebuild import rollback as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipeline, take_over=take_over))


@app.command()
def indices(context: typer.Context, pipelines: Pipelines = None, json: Json = False) -> None:
    """List the physical indices: what they take, and what they are to their pipelines."""
    from syncer.app.commands.indices import indices as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipelines or []))
