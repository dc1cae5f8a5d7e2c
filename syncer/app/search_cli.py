"""The command line's part for searches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syncer.app.argument import Json, Pipeline, Pipelines, examples
from syncer.core.search.request import Mode

# Commands are imported where they are called: `syncer --help` must not wait for torch, nor for any client.

app = typer.Typer()


@app.command(
    epilog=examples(
        'syncer search articles "late commits"',
        'syncer search articles "late commits" --mode keyword --filter tags=postgres --size 3',
    )
)
def search(
    context: typer.Context,
    pipeline: Pipeline,
    text: Annotated[str, typer.Argument(help="What to look for.")],
    mode: Annotated[
        Mode | None, typer.Option("--mode", help="Left out: hybrid where the pipeline has an embedding, else keyword.")
    ] = None,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", metavar="FIELD=VALUE", help="May be given several times.")
    ] = None,
    size: Annotated[int, typer.Option("--size", min=1, max=1000, help="How many documents.")] = 10,
    json: Json = False,
) -> None:
    """Search a pipeline's index, by words, by meaning, or by both; prints the best documents with their scores."""
    from syncer.app.commands.search import search as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipeline, text, mode=mode, filters=filters or [], size=size))


@app.command("eval")
def evaluate(
    context: typer.Context,
    pipeline: Pipeline,
    queries: Annotated[Path, typer.Option("--queries", help='A file with {"id": "1", "text": "…"} in each line.')],
    qrels: Annotated[
        Path, typer.Option("--qrels", help="A file with query, document and grade in each line, or TREC's columns.")
    ],
    compare: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            metavar="SETTING=VALUE,…",
            help="Try these too; several times, for every combination. Settings: k, window, keyword, vector (weights), "
            "match, fuzziness, minimum_should_match.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Measure how good searches are, by queries whose documents people have judged: nDCG@10, recall@100, MRR@10."""
    from syncer.app.commands.evaluate import evaluate as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipeline, queries, qrels, compare=compare or []))


@app.command(epilog=examples("syncer serve --listen 127.0.0.1:8080"))
def serve(
    context: typer.Context,
    pipelines: Pipelines = None,
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="HOST:PORT", help="Left out: serve.listen, 127.0.0.1:8080.")
    ] = None,
) -> None:
    """Answer searches over HTTP, with pages for people, until SIGTERM. Changes nothing; needs syncer[serve]."""
    from syncer.app.commands.serve import serve as command

    raise typer.Exit(command(context.obj, pipelines or [], listen=listen))


@app.command()
def embed_bench(
    context: typer.Context,
    pipeline: Annotated[str | None, typer.Argument(metavar="PIPELINE", help="Left out: the first that embeds.")] = None,
    texts: Annotated[int, typer.Option("--texts", min=2, max=100_000, help="How many of its texts.")] = 1000,
    backends: Annotated[
        list[str] | None, typer.Option("--backend", help="Only these, and torch to compare with; several times.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure how fast each backend embeds a pipeline's rows, and how near to torch. Writes nothing."""
    from syncer.app.commands.embed_bench import embed_bench as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipeline, texts=texts, backends=backends or []))
