"""The command line."""

from __future__ import annotations

import gc
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from syncer import __version__
from syncer.app import dead_letters_cli
from syncer.app.argument import Json, Pipeline, Pipelines, SomePipelines
from syncer.app.exit_code import ExitCode, exit_code
from syncer.app.invocation import Invocation
from syncer.app.stop_signal import leave
from syncer.core.run import RunJob
from syncer.core.search.request import Mode

# Commands are imported where they are called: `syncer --help` must not wait for torch, nor for any client.


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

Print = Annotated[bool, typer.Option("--print", help="Print the SQL, and run nothing: SELECT is enough.")]

TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="Where the alias belongs to other indices, take it from them; an index of its name is deleted.",
    ),
]

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
def migrate(context: typer.Context) -> None:
    """Create the state schema, or upgrade it."""
    from syncer.app.commands.migrate import migrate as command

    raise typer.Exit(command(context.obj))


@app.command()
def run(
    context: typer.Context,
    pipelines: Pipelines = None,
    once: Annotated[bool, typer.Option("--once", help="Catch up and exit.")] = False,
    json: Json = False,
) -> None:
    """Load the index if need be, then follow changes until SIGTERM."""
    from syncer.app.commands.run import run as follow
    from syncer.app.commands.run import run_once

    context.obj.json = json
    raise typer.Exit((run_once if once else follow)(context.obj, pipelines or []))


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def check(
    context: typer.Context,
    pipelines: Pipelines = None,
    show_sql: Annotated[bool, typer.Option("--show-sql", help="Print the SQL of remedies, and that of reads.")] = False,
    json: Json = False,
) -> None:
    """Compare the configuration with the real source, state and index; every finding has its remedy."""
    from syncer.app.commands.check import check as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipelines or [], show_sql=show_sql))


@app.command()
def status(context: typer.Context, pipelines: Pipelines = None, json: Json = False) -> None:
    """Show how far each pipeline is, and what holds it up."""
    from syncer.app.commands.status import status as command

    context.obj.json = json
    raise typer.Exit(command(context.obj, pipelines or []))


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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
    """Search a pipeline's index."""
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


@app.command()
def serve(
    context: typer.Context,
    pipelines: Pipelines = None,
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="HOST:PORT", help="Left out: serve.listen, 127.0.0.1:8080.")
    ] = None,
) -> None:
    """Answer searches over HTTP until SIGTERM."""
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


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit after the examples.")] = False,
    directory: Annotated[Path | None, typer.Option("--dir", help="Keep the data there for the next demo.")] = None,
) -> None:
    """See it at work: an embedded Postgres, a search engine and a model, on the documentation of this Python."""
    from syncer.app.demo.demo import run_demo

    raise typer.Exit(run_demo(once, directory))


@app.command()
def version(context: typer.Context, json: Json = False) -> None:
    """Print the version."""
    context.obj.json = json
    context.obj.show({"version": __version__}, lambda: __version__)


def main() -> NoReturn:
    """Run the command line of this process."""
    # Rows pass by as small objects without cycles. To look for some at Python's own thresholds takes a quarter of the
    # processor's time in a load, half of it in a comparison, and stops all threads for a tenth of a second each time.
    gc.set_threshold(50_000, 20, 20)
    leave(execute(sys.argv[1:], Invocation(os.environ)))


def execute(arguments: list[str], invocation: Invocation) -> int:
    """Run a command line and return its exit code; says on standard error what went wrong."""
    try:
        app(arguments, prog_name="syncer", obj=invocation)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.DONE
    except Exception as error:  # a bug, too, ends in one message and an exit code
        invocation.tell(error)
        return exit_code(error)
    return ExitCode.DONE
