"""The command line's part for operating syncer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syncer.app.argument import Json, Pipelines, examples
from syncer.app.metrics.form import Form
from syncer.app.purpose import Purpose

# Commands are imported where they are called: `syncer --help` must not wait for any client.

app = typer.Typer()


@app.command(epilog=examples("syncer init", "syncer init --table public.articles --embed --yes --output syncer.yaml"))
def init(
    context: typer.Context,
    source_url: Annotated[
        str | None,
        typer.Option("--source-url", metavar="URL", help="The database; left out: SYNCER_SOURCE_URL. Never written."),
    ] = None,
    elasticsearch_url: Annotated[
        str | None,
        typer.Option("--elasticsearch-url", metavar="URL", help="Left out: ELASTICSEARCH_URL."),
    ] = None,
    tables: Annotated[
        list[str] | None,
        typer.Option("--table", metavar="NAME", help="A table to follow; several times. Left out: asked for."),
    ] = None,
    embed: Annotated[bool, typer.Option("--embed", help="Search by meaning too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, and take the best choices.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Left out: that of -c; -: standard output.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Look at a database, ask a few questions, and write a configuration. Changes nothing on any server."""
    from syncer.app.commands.init import Wishes
    from syncer.app.commands.init import init as command

    invocation = context.obj
    wishes = Wishes(source_url, elasticsearch_url, tables or [], embed, output or invocation.config, force)
    raise typer.Exit(command(invocation, wishes, yes=yes))


@app.command(epilog=examples("syncer metrics", "syncer metrics rules > syncer.rules.yml"))
def metrics(
    form: Annotated[
        Form,
        typer.Argument(help="A table of all metrics, a dashboard for Grafana, or alert rules for Prometheus."),
    ] = Form.REFERENCE,
) -> None:
    """Print what `syncer run --listen` and `syncer serve` export at /metrics, and what to make of it."""
    from syncer.app.commands.metrics import metrics as command

    raise typer.Exit(command(form))


@app.command(epilog=examples("syncer grants --for run", "syncer grants --for serve --role search_api"))
def grants(
    context: typer.Context,
    pipelines: Pipelines = None,
    purposes: Annotated[
        list[Purpose] | None, typer.Option("--for", help="Only for this; several times. Left out: for all.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option("--role", metavar="NAME", help="With --for; left out: syncer, syncer_owner, syncer_reader."),
    ] = None,
    json: Json = False,
) -> None:
    """Print the least privileges in Postgres and Elasticsearch, as SQL and requests. Grants nothing."""
    from syncer.app.commands.grants import grants as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipelines or [], purposes=purposes or [], role=role))


@app.command()
def cluster(
    context: typer.Context,
    pipelines: Pipelines = None,
    interval: Annotated[
        float,
        typer.Option("--interval", metavar="SECONDS", min=0, max=3600, help="Between the two looks that are compared."),
    ] = 2.0,
    json: Json = False,
) -> None:
    """Print how Elasticsearch is: health, nodes, what the pipelines' indices do, and what asks for attention."""
    from syncer.app.commands.cluster import cluster as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipelines or [], interval_seconds=interval))
