"""Runs the jobs of pipelines when they are due, beside the polls; the only place that knows the scheduler.

    due time passed ──▶ nobody has begun it? ──▶ hold (pipeline, job) ──▶ still nobody? ──▶ run, kept in the history

Any number of processes do this for one pipeline. The history says which due time was begun last, so that each is run
once, and those that were missed while nothing ran come to one run. Due times that pass while the job runs are passed
over. A run that was interrupted is run again, once.

Rejected: a job store of the scheduler's own in the database. It would know when a job is due next, but not whether a
process that began it is still there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Condition, Semaphore
from typing import Any, Self

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from syncer.adapters.postgres.history import PostgresHistory, PostgresRun
from syncer.app.cron import Cron
from syncer.app.log_events import one_line
from syncer.app.recorded import Recorder, entered
from syncer.core.error import LeaseHeld, SyncerError
from syncer.core.run import Run, RunOutcome
from syncer.ports import Alarm, Clock

#: How often it is looked for what was missed or interrupted.
WATCH_SECONDS = 15.0
#: Jobs that run at once in one process: each reads a whole table, on connections of its own.
RUNS_MAX = 4
#: How long the end of jobs is waited for.
END_SECONDS = 2.0
#: How often one that waits for its turn looks whether the process is asked to stop.
_TURN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Task:
    """A job of a pipeline, and when it is due."""

    pipeline: str
    job: str
    cron: Cron
    #: By how much it may begin late, at random.
    jitter_seconds: float

    @property
    def id(self) -> str:
        return f"{self.pipeline} {self.job}"


def owed(cron: Cron, newest: Sequence[Run], begun: datetime, until: datetime) -> datetime | None:
    """Return the due time that is to be run now, if there is one.

    newest: the last two runs by this cron, the last one first. begun: since when to count where there is none.
    """
    if not newest:
        return cron.latest(begun, until)
    last = newest[0]
    assert last.due_at is not None
    due = cron.latest(max(last.due_at, last.finished_at or last.due_at), until)
    once = len(newest) == 1 or newest[1].due_at != last.due_at
    return last.due_at if due is None and last.outcome is RunOutcome.INTERRUPTED and once else due


class Schedule:
    """Runs tasks on threads of its own from its beginning to its end, as a context."""

    def __init__(
        self,
        tasks: Sequence[Task],
        history: PostgresHistory,
        clock: Clock,
        do: Callable[[Task, Recorder], None],
        may: Callable[[Task], bool] = lambda _task: True,
    ) -> None:
        """do: does it, and tells the recorder how it ended. may: else its due time is left to another process."""
        self._tasks = tasks
        self._history = history
        self._clock = clock
        self._do = do
        self._may = may
        self._begun = clock.now()
        self._closed = False
        self._turns = Semaphore(RUNS_MAX)
        self._changed = Condition()
        self._under_way: set[Task] = set()
        # A thread for each, most of which wait: what waits in the scheduler's queue it would call overdue.
        self._scheduler: Any = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(tasks) + 1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def __enter__(self) -> Self:
        for task in self._tasks:
            self._scheduler.add_job(self._run, task.cron.jittered(task.jitter_seconds), [task], id=task.id)
        watch = IntervalTrigger(seconds=WATCH_SECONDS, timezone=UTC)
        self._scheduler.add_job(self._watch, watch, next_run_time=self._clock.now())
        self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask the jobs for their end, and wait for it a while."""
        self._closed = True
        self._scheduler.shutdown(wait=False)
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, END_SECONDS)

    def _watch(self) -> None:
        """Begin what was missed or interrupted; what is due just now begins by itself, at its random time."""
        try:
            now = self._clock.now()
            self._history.settle_abandoned(now)
            for task in self._tasks:
                if task not in self._under_way and self._owed(task, now - timedelta(seconds=task.jitter_seconds)):
                    self._scheduler.modify_job(task.id, next_run_time=now)
        except SyncerError as error:
            self._hindered(error)

    def _owed(self, task: Task, until: datetime) -> datetime | None:
        newest = self._history.newest_due(task.pipeline, task.job, task.cron.text, 2)
        return owed(task.cron, newest, self._begun, until)

    def _run(self, task: Task) -> None:
        self._note(task, under_way=True)
        try:
            while not self._turns.acquire(timeout=_TURN_SECONDS):
                if self._stopping():
                    return
            try:
                self._run_if_owed(task)
            finally:
                self._turns.release()
        finally:
            self._note(task, under_way=False)

    def _run_if_owed(self, task: Task) -> None:
        try:
            # Of several processes all but one see here that there is nothing to do.
            if self._stopping() or not self._owed(task, self._clock.now()) or not self._may(task):
                return
            run = self._history.hold(task.pipeline, task.job)
        except LeaseHeld:
            return
        except SyncerError as error:
            self._hindered(error)
            return
        try:
            self._run_held(task, run)
        except SyncerError as error:
            self._hindered(error)
        finally:
            run.release()

    def _run_held(self, task: Task, run: PostgresRun) -> None:
        now = self._clock.now()
        run.settle_abandoned(now)
        due_at = self._owed(task, now)
        if due_at is None:
            return
        log = structlog.get_logger(pipeline=task.pipeline, job=task.job)
        run.begin(now, schedule=task.cron.text, due_at=due_at)
        log.info("job begins", due_at=due_at.isoformat())
        with entered(run, _JobClock(self._clock, lambda: self._stopping() or not run.held)) as recorder:
            try:
                self._do(task, recorder)
            except Exception as error:  # a bug, too, must end neither the schedule nor the daemon
                recorder.failed(error)
        said = {name: value for name, value in recorder.detail.items() if name not in {"pipeline", "samples"}}
        bad = recorder.outcome in {RunOutcome.FAILED, RunOutcome.REMAINDER}
        (log.warning if bad else log.info)("job ended", outcome=recorder.outcome.value, **said)

    def _stopping(self) -> bool:
        return self._closed or self._clock.stopping()

    def _note(self, task: Task, *, under_way: bool) -> None:
        with self._changed:
            (self._under_way.add if under_way else self._under_way.discard)(task)
            self._changed.notify_all()

    def _hindered(self, error: SyncerError) -> None:
        if not self._stopping():
            # The watch comes back to it.
            structlog.get_logger().warning("schedule held up", error=one_line(error.message))


class _JobClock:
    """The process's clock for a job that may have to end earlier."""

    def __init__(self, clock: Clock, stopping: Callable[[], bool]) -> None:
        self._clock = clock
        self.stopping = stopping

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def wait(self, seconds: float) -> bool:
        return self._clock.wait(seconds) or self.stopping()

    def alarm(self) -> Alarm:
        return self._clock.alarm()
