"""The command line's part for operating syncer."""

from __future__ import annotations

from typing import Annotated

import typer

from syncer.app.argument import Json, Pipelines
from syncer.app.metrics.form import Form
from syncer.app.purpose import Purpose

# Commands are imported where they are called: `syncer --help` must not wait for any client.

app = typer.Typer()


@app.command()
def metrics(
    form: Annotated[
        Form,
        typer.Argument(help="A table of all metrics, a dashboard for Grafana, or alert rules for Prometheus."),
    ] = Form.REFERENCE,
) -> None:
    """Print what `syncer run --listen` and `syncer serve` export at /metrics, and what to make of it."""
    from syncer.app.commands.metrics import metrics as command

    raise typer.Exit(command(form))


@app.command()
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
