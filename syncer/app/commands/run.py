"""`syncer run`: follow pipelines, each on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import structlog
from rich.console import Console

from syncer.app.commands.summary import Summary, summary_table
from syncer.app.exit_code import ExitCode, worst
from syncer.app.invocation import Invocation
from syncer.app.log_events import LogEvents, one_line
from syncer.app.progress import progress
from syncer.app.wiring import Application
from syncer.core.error import SyncerError
from syncer.core.report import Report
from syncer.engine.worker import Worker
from syncer.ports import Clock


def run(invocation: Invocation, requested: Sequence[str]) -> ExitCode:
    """Follow the pipelines until SIGTERM; one that cannot go on ends alone."""

    def follow(worker: Worker) -> tuple[Report, bool]:
        worker.run()
        return Report(), False

    with invocation.application() as (application, clock):
        names = application.names(requested)
        summaries = _each(application, names, clock, follow, invocation.debug)
    return worst(summary.exit_code for summary in summaries)


def run_once(invocation: Invocation, requested: Sequence[str]) -> ExitCode:
    """Load what is not loaded, deliver what is committed by now, and report."""

    def catch_up(worker: Worker) -> tuple[Report, bool]:
        report, pipeline = worker.run_once(), worker.pipeline
        record = pipeline.store.index(pipeline.name)
        open_letters = application.store.overview(record.name).dead_letters if record else 0
        return report, bool(report.rejected or open_letters or pipeline.clock.stopping())

    with invocation.application() as (application, clock):
        names = application.names(requested)
        summaries = _each(application, names, clock, catch_up, invocation.debug)
    documents = [summary.document() for summary in summaries]
    invocation.show(
        documents[0] if len(documents) == 1 else {"pipelines": documents},
        lambda: summary_table([summary for summary in summaries if not summary.error]),
    )
    return worst(summary.exit_code for summary in summaries)


def _each(
    application: Application,
    names: Sequence[str],
    clock: Clock,
    work: Callable[[Worker], tuple[Report, bool]],
    debug: bool,
) -> Sequence[Summary]:
    """Do the work for all pipelines at once, to its end for each; this thread waits, and receives the signals.

    work: returns what was delivered, and whether something remains. Of a single pipeline the error is raised, of
    several it is logged.
    """
    # They share clients and a model, which are made when first asked for.
    building = Lock()

    def one(name: str) -> Summary:
        started = clock.monotonic()
        try:
            with building:
                pipeline = application.pipeline(name)
            report, remainder = work(Worker(pipeline, LogEvents(name, shown[name])))
        except Exception as error:  # a bug, too, must not end the other pipelines, nor end this one in silence
            if len(names) == 1:
                raise
            _log_end(name, error, debug)
            return Summary(name, Report(), clock.monotonic() - started, error=error)
        return Summary(name, report, clock.monotonic() - started, remainder)

    with (
        progress(names, clock, Console(stderr=True)) as shown,
        ThreadPoolExecutor(len(names), thread_name_prefix="pipeline") as threads,
    ):
        return list(threads.map(one, names))


def _log_end(name: str, error: Exception, debug: bool) -> None:
    said, hint = (error.message, error.hint) if isinstance(error, SyncerError) else (str(error), "")
    log = structlog.get_logger(pipeline=name)
    log.error("stopped", error=one_line(said), hint=one_line(hint), kind=type(error).__name__, exc_info=debug)
