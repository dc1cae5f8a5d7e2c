"""The command line's part for keeping indices in step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syncer.app.argument import Json, Pipeline, Pipelines, SomePipelines, examples
from syncer.core.run import RunJob

# Commands are imported where they are called: `syncer --help` must not wait for torch, nor for any client.

app = typer.Typer()

Print = Annotated[bool, typer.Option("--print", help="Print the SQL, and run nothing: SELECT is enough.")]


@app.command()
def migrate(context: typer.Context) -> None:
    """Create the state schema, or upgrade it to what this version needs; may be repeated. All or nothing."""
    from syncer.app.commands.migrate import migrate as command

    raise typer.Exit(command(context.obj))


@app.command(epilog=examples("syncer run", "syncer run articles --listen 127.0.0.1:9187", "syncer run --once --json"))
def run(
    context: typer.Context,
    pipelines: Pipelines = None,
    once: Annotated[bool, typer.Option("--once", help="Deliver what is committed by now, and exit.")] = False,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            envvar="SYNCER_LISTEN",
            help="Answer /metrics, /healthz and /readyz there, to whoever reaches it.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Load the index if need be, then follow changes until SIGTERM; servers that are away are waited for.

    A second process on the same state stands by, and goes on within ten seconds where the first one ends.
    """
    from syncer.app.commands.run import run as follow
    from syncer.app.commands.run import run_once

    context.obj.json = json
    if once:
        raise typer.Exit(run_once(context.obj, pipelines or []))
    raise typer.Exit(follow(context.obj, pipelines or [], listen=listen))


@app.command(epilog=examples("syncer backfill articles --workers 4"))
def backfill(
    context: typer.Context,
    pipeline: Pipeline,
    restart: Annotated[bool, typer.Option("--restart", help="Do not go on with an unfinished backfill.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Connections to the source.")] = 1,
    json: Json = False,
) -> None:
    """Go through every row again, writing what differs; safe beside the daemon. Killed, it goes on where it was."""
    from syncer.app.commands.backfill import backfill_pipeline

    context.obj.json = json
    raise typer.Exit(backfill_pipeline(context.obj, pipeline, restart=restart, workers=workers))


@app.command(
    epilog=examples(
        "syncer resync articles --ids 1,2,3",
        'syncer resync articles --where "author_id = 7"',
        "syncer resync articles --since 2026-01-31T12:00Z",
    )
)
def resync(
    context: typer.Context,
    pipeline: Pipeline,
    ids: Annotated[str | None, typer.Option("--ids", help="Document ids, separated by commas.")] = None,
    ids_file: Annotated[
        Path | None, typer.Option("--ids-file", help="A file with one document id a line; - reads standard input.")
    ] = None,
    where: Annotated[str | None, typer.Option("--where", help="A condition in SQL over the table's columns.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Rows whose watermark is at or after this time: 2026-01-31T12:00Z.")
    ] = None,
    json: Json = False,
) -> None:
    """Deliver some rows now; safe while the daemon runs. A row that is not in the table is removed from the index."""
    from syncer.app.commands.resync import Rows
    from syncer.app.commands.resync import resync as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipeline, Rows(ids, ids_file, where, since)))


@app.command(epilog=examples("syncer check", "syncer check articles --show-sql"))
def check(
    context: typer.Context,
    pipelines: Pipelines = None,
    show_sql: Annotated[bool, typer.Option("--show-sql", help="Print the SQL of remedies, and that of reads.")] = False,
    show_mapping: Annotated[
        bool, typer.Option("--show-mapping", help="Print the mapping and settings of the index, as JSON.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare the configuration with the real source, state and index; every finding has its remedy."""
    from syncer.app.commands.check import check as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipelines or [], show_sql=show_sql, show_mapping=show_mapping))


@app.command(epilog=examples("syncer status", "syncer status articles --json"))
def status(context: typer.Context, pipelines: Pipelines = None, json: Json = False) -> None:
    """Show how far each pipeline is, and what holds it up."""
    from syncer.app.commands.status import status as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipelines or []))


@app.command(epilog=examples("syncer install-triggers articles", "syncer install-triggers articles --print"))
def install_triggers(context: typer.Context, pipeline: Pipeline, only_print: Print = False, json: Json = False) -> None:
    """Note what is deleted from the table, so that its document goes. Repeat it when a partition was added."""
    from syncer.app.commands.triggers import install_triggers as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipeline, print_only=only_print))


@app.command()
def remove_triggers(context: typer.Context, pipeline: Pipeline, only_print: Print = False, json: Json = False) -> None:
    """Undo install-triggers; what was noted and not delivered yet is forgotten."""
    from syncer.app.commands.triggers import remove_triggers as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipeline, print_only=only_print))


@app.command()
def pause(context: typer.Context, pipelines: SomePipelines, json: Json = False) -> None:
    """Let nobody follow the pipelines until `syncer resume`."""
    from syncer.app.commands.pause import pause as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipelines))


@app.command()
def resume(context: typer.Context, pipelines: SomePipelines, json: Json = False) -> None:
    """End a pause; polling goes on from the checkpoint."""
    from syncer.app.commands.pause import resume as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipelines))


@app.command(epilog=examples("syncer verify articles", "syncer verify articles --deep --repair"))
def verify(
    context: typer.Context,
    pipeline: Pipeline,
    deep: Annotated[bool, typer.Option("--deep", help="Compare whole documents, field by field.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what differs.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Let --repair delete more than limits.delete_ratio of the index.")
    ] = False,
    json: Json = False,
) -> None:
    """Prove that the index holds what the table does, or name what differs; safe while the daemon runs."""
    from syncer.app.commands.verify import verify as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipeline, deep=deep, repair=repair, force=force))


@app.command()
def schedule(context: typer.Context, pipelines: Pipelines = None, json: Json = False) -> None:
    """Show what the daemon does now and then: when next, and how it ended the last time."""
    from syncer.app.commands.schedule import schedule as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipelines or []))


@app.command(epilog=examples("syncer history articles --job verify --limit 5"))
def history(
    context: typer.Context,
    pipelines: Pipelines = None,
    job: Annotated[RunJob | None, typer.Option("--job", help="Only runs of this one.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many runs.")] = 20,
    json: Json = False,
) -> None:
    """Show what was run for the pipelines, by schedule or by hand, the newest first."""
    from syncer.app.commands.history import history as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipelines or [], job=job, limit=limit))
