"""`syncer run`: follow pipelines, each on a thread of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Thread

import structlog
from rich.console import Console

from syncer.app.commands.summary import Summary, summary_table
from syncer.app.exit_code import ExitCode, worst
from syncer.app.invocation import Invocation
from syncer.app.job import schedule
from syncer.app.log_events import LogEvents, one_line
from syncer.app.monitored import monitored
from syncer.app.progress import LoadLines, LoadProgress, progress
from syncer.app.pulse import Pulse
from syncer.app.service_manager import told_to_systemd
from syncer.app.wiring import Application
from syncer.core.error import FingerprintMismatch, SyncerError, TransientError
from syncer.core.report import Report
from syncer.core.retry import backoff_seconds
from syncer.engine.events import Events
from syncer.engine.followers import Followers
from syncer.engine.pipeline import Pipeline
from syncer.engine.share import Share
from syncer.engine.worker import Worker
from syncer.ports import Clock

Build = Callable[[], Pipeline]
#: What is done for a pipeline: returns what was delivered, and whether something remains.
Work = Callable[[Build, LogEvents], tuple[Report, bool]]


def run(invocation: Invocation, requested: Sequence[str], *, listen: str | None = None) -> ExitCode:
    """Follow the pipelines until SIGTERM; one that cannot go on ends alone. Servers that are away are waited for.

    listen: an address for metrics and probes. Raises ConfigurationError.
    """
    with invocation.application(when_stopped=ExitCode.DONE) as (application, clock):
        share = Share()
        #: By pipeline, where the configuration was read again.
        renewed: dict[str, Application] = {}

        def follow(build: Build, events: Events) -> tuple[Report, bool]:
            pipeline = _built(build, clock, events)
            known: list[Mapping[str, str]] = []
            while pipeline is not None:
                if pipeline.fingerprint not in known:
                    known.append(pipeline.fingerprint)
                    _follow_beside(pipeline)
                try:
                    Worker(pipeline, events, share=share).run()
                    break
                except FingerprintMismatch as mismatch:
                    # A rebuild by a process of a newer configuration: the file may hold it by now.
                    name = pipeline.name
                    renewed[name], pipeline = _reread(application, invocation, pipeline, mismatch, clock, events)
            return Report(), False

        names, pulse = application.names(requested), Pulse(clock)
        application.measures.append(pulse.telemetry)

        def now(name: str) -> Application:
            return renewed.get(name, application)

        with (
            schedule(application, names, clock, now),
            monitored(application, names, clock, invocation.redact, listen, pulse.stuck, now) as monitor,
            told_to_systemd(invocation.env, clock, pulse.stuck),
        ):
            # A first change that waits for torch would wait for seconds, and a broken model be found at that late hour.
            resident = partial(application.pipeline, with_model=True)
            summaries = _each(resident, names, clock, follow, invocation.debug, monitor.events, monitor.ended)
    return worst(summary.exit_code for summary in summaries)


def run_once(invocation: Invocation, requested: Sequence[str]) -> ExitCode:
    """Load what is not loaded, deliver what is committed by now, and report."""
    with invocation.application() as (application, clock):

        def catch_up(build: Build, events: LogEvents) -> tuple[Report, bool]:
            pipeline = build()
            report = Worker(pipeline, events).run_once()
            record = pipeline.store.index(pipeline.name)
            open_letters = application.store.overview(record.name).dead_letters if record else 0
            return report, bool(report.rejected or open_letters or events.refused or clock.stopping())

        names = application.names(requested)
        summaries = _each(application.pipeline, names, clock, catch_up, invocation.debug)
    documents = [summary.document() for summary in summaries]
    invocation.show(
        documents[0] if len(documents) == 1 else {"pipelines": documents},
        lambda: summary_table([summary for summary in summaries if not summary.error]),
    )
    return worst(summary.exit_code for summary in summaries)


def _each(
    pipeline: Callable[[str], Pipeline],
    names: Sequence[str],
    clock: Clock,
    work: Work,
    debug: bool,
    told: Callable[[str, LoadProgress], LogEvents] = LogEvents,
    ended: Callable[[str, Exception], None] = lambda *_: None,
) -> Sequence[Summary]:
    """Do the work for all pipelines at once, to its end for each; this thread waits, and receives the signals.

    Of a single pipeline the error is raised, of several it is logged.
    """

    def one(name: str) -> Summary:
        started, events = clock.monotonic(), None
        try:
            events = told(name, shown[name])
            report, remainder = work(partial(pipeline, name), events)
        except Exception as error:  # a bug, too, must not end the other pipelines, nor end this one in silence
            if isinstance(error, TransientError) and clock.stopping():
                return Summary(name, Report(), clock.monotonic() - started, remainder=True)
            ended(name, error)
            if len(names) == 1:
                raise
            _log_end(name, error, debug)
            return Summary(name, Report(), clock.monotonic() - started, error=error)
        finally:
            if events:
                events.ended()
        return Summary(name, report, clock.monotonic() - started, remainder)

    with (
        progress(names, clock, Console(stderr=True)) as shown,
        ThreadPoolExecutor(len(names), thread_name_prefix="pipeline") as threads,
    ):
        return list(threads.map(one, names))


def _built(build: Build, clock: Clock, events: Events) -> Pipeline | None:
    """Return the pipeline once its servers answer; None where the process is asked to stop before."""
    attempt = 0
    while not clock.stopping():
        try:
            return build()
        except TransientError as error:
            attempt += 1
            seconds = backoff_seconds(attempt, random.random, error.retry_after)
            events.backing_off(error, attempt, seconds)
            clock.wait(seconds)
    return None


def _follow_beside(pipeline: Pipeline) -> None:
    """Follow the indices that may take the live one's place, on threads that end with the process."""
    followers = Followers(
        pipeline, lambda index: LogEvents(pipeline.name, LoadLines(pipeline.name, pipeline.clock), index=index)
    )
    Thread(target=followers.run, name=f"beside {pipeline.name}", daemon=True).start()


def _reread(
    application: Application,
    invocation: Invocation,
    pipeline: Pipeline,
    mismatch: FingerprintMismatch,
    clock: Clock,
    events: Events,
) -> tuple[Application, Pipeline | None]:
    """Return the pipeline as the configuration file has it now; None where the process is asked to stop meanwhile.

    Raises the mismatch where that is no other one.
    """
    try:
        renewed = application.renewed(invocation.settings())
        fresh = _built(lambda: renewed.pipeline(pipeline.name, with_model=True), clock, events)
    except SyncerError as error:
        log = structlog.get_logger(pipeline=pipeline.name)
        log.warning("the configuration could not be read again", error=one_line(error.message))
        raise mismatch from None
    if fresh is not None and fresh.fingerprint == pipeline.fingerprint:
        raise mismatch
    structlog.get_logger(pipeline=pipeline.name).info("the configuration was read again")
    return renewed, fresh


def _log_end(name: str, error: Exception, debug: bool) -> None:
    said, hint = (error.message, error.hint) if isinstance(error, SyncerError) else (str(error), "")
    log = structlog.get_logger(pipeline=name)
    log.error("stopped", error=one_line(said), hint=one_line(hint), kind=type(error).__name__, exc_info=debug)
