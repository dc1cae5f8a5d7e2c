"""Keeps runs of jobs and commands in the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from syncer.adapters.postgres.history import PostgresRun
from syncer.app.commands.summary import Summary
from syncer.app.exit_code import ExitCode
from syncer.app.log_events import one_line
from syncer.core.error import ConfigurationError, FatalError, SyncerError
from syncer.core.report import Report
from syncer.core.run import ON_CHANGE, RunJob, RunOutcome
from syncer.engine.pipeline import Ended
from syncer.ports import Clock

if TYPE_CHECKING:
    from syncer.app.wiring import Application


@dataclass(slots=True)
class Recorder:
    """How a run ends; until it is told, as one that was interrupted."""

    clock: Clock
    outcome: RunOutcome = RunOutcome.INTERRUPTED
    detail: Mapping[str, Any] = field(default_factory=dict)

    def ended(self, code: ExitCode, document: Mapping[str, Any]) -> None:
        """Say what a command reports. What is not done when the process is asked to stop was interrupted."""
        self.detail = document
        if code is ExitCode.DONE:
            self.outcome = RunOutcome.DONE
        elif code in {ExitCode.REMAINDER, ExitCode.UNREACHABLE} and self.clock.stopping():
            self.outcome = RunOutcome.INTERRUPTED
        else:
            self.outcome = RunOutcome.REMAINDER if code is ExitCode.REMAINDER else RunOutcome.FAILED

    def skipped(self, reason: SyncerError) -> None:
        """Say why it did not run."""
        self.outcome, self.detail = RunOutcome.SKIPPED, {"reason": reason.message}

    def failed(self, error: Exception) -> None:
        """Say what has ended it."""
        # What goes wrong while everything is being closed says nothing about the job.
        interrupted = self.clock.stopping() and not isinstance(error, ConfigurationError | FatalError)
        self.outcome = RunOutcome.INTERRUPTED if interrupted else RunOutcome.FAILED
        said = error.message if isinstance(error, SyncerError) else f"{type(error).__name__}: {error}"
        self.detail = {"error": said}


@contextmanager
def recorded(
    application: Application, clock: Clock, pipeline: str, job: RunJob, schedule: str | None = None
) -> Iterator[Recorder]:
    """Keep a run in the history: what the recorder is told, or the error that ends it. schedule: not by hand.

    Nobody else runs this job of the pipeline meanwhile. Raises LeaseHeld where somebody does, and StateUnavailable.
    """
    run = application.history.hold(pipeline, job)
    try:
        run.settle_abandoned(clock.now())
        run.begin(clock.now(), schedule=schedule)
        with entered(run, clock) as recorder:
            yield recorder
    finally:
        run.release()


@contextmanager
def by_itself(application: Application, clock: Clock, pipeline: str, job: RunJob) -> Iterator[Ended]:
    """Keep in the history what a daemon does because the configuration was changed; raises what `recorded` does."""
    started = clock.monotonic()
    with recorded(application, clock, pipeline, job, ON_CHANGE) as run:

        def ended(complete: bool, report: Report, detail: Mapping[str, Any]) -> None:
            summary = Summary(pipeline, report, clock.monotonic() - started, remainder=bool(report.rejected))
            run.ended(summary.exit_code, {**summary.document(), **detail})
            if not complete:
                run.outcome = RunOutcome.INTERRUPTED

        yield ended


@contextmanager
def entered(run: PostgresRun, clock: Clock) -> Iterator[Recorder]:
    """Keep how a run ends that has begun. That it cannot be kept is logged: what was done is done."""
    recorder = Recorder(clock)
    try:
        yield recorder
    except Exception as error:  # a bug, too, is how the run ended
        recorder.failed(error)
        raise
    finally:
        try:
            run.end(clock.now(), recorder.outcome, recorder.detail)
        except SyncerError as error:
            structlog.get_logger().warning("the end of a run is not in the history", error=one_line(error.message))
