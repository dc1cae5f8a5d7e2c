"""When the schedule runs what, by the system's clock and on real histories."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from apscheduler.triggers.cron import CronTrigger

from syncer.adapters.clock import SystemClock
from syncer.adapters.postgres.history import PostgresHistory
from syncer.app.cron import Cron
from syncer.app.exit_code import ExitCode
from syncer.app.recorded import Recorder
from syncer.app.schedule import Schedule, Task, owed
from syncer.core.error import FatalError
from syncer.core.run import Run, RunOutcome
from tests.contract.shared_state import PostgresState

DAILY = Cron.of("0 3 * * *", "UTC")
DUE = datetime(2026, 11, 22, 3, tzinfo=UTC)
DAY = timedelta(days=1)
LONG_AGO = DUE - 30 * DAY
SECONDLY = Cron("every second", CronTrigger(second="*", timezone=UTC))
PATIENCE_SECONDS = 30.0


def last(due_at: datetime, outcome: RunOutcome = RunOutcome.DONE, seconds: float = 10) -> Run:
    finished_at = None if outcome is RunOutcome.RUNNING else due_at + timedelta(seconds=seconds)
    return Run("articles", "verify", DAILY.text, due_at, due_at, finished_at, outcome, {}, "host", 1)


@pytest.mark.parametrize("now", [DUE, DUE + timedelta(hours=23)])
def test_a_due_time_is_owed_once(now: datetime) -> None:
    """Until it was begun, whatever came of it but an interruption."""
    assert owed(DAILY, [last(DUE - DAY)], LONG_AGO, now) == DUE
    for outcome in set(RunOutcome) - {RunOutcome.INTERRUPTED}:
        assert owed(DAILY, [last(DUE, outcome)], LONG_AGO, now) is None


def test_what_was_missed_comes_to_one_run() -> None:
    """The latest one."""
    assert owed(DAILY, [last(DUE - 10 * DAY)], LONG_AGO, DUE + timedelta(hours=1)) == DUE


def test_without_a_history_nothing_was_missed() -> None:
    """What is due from the beginning of the schedule on is owed."""
    assert owed(DAILY, [], DUE + timedelta(seconds=1), DUE + timedelta(hours=23)) is None
    assert owed(DAILY, [], DUE + timedelta(seconds=1), DUE + DAY) == DUE + DAY


def test_due_times_that_pass_during_a_run_are_passed_over() -> None:
    """A run that takes longer than it is until the next one would never come to an end."""
    long = last(DUE, seconds=26 * 3600)
    assert owed(DAILY, [long], LONG_AGO, DUE + 2 * DAY - timedelta(seconds=1)) is None
    assert owed(DAILY, [long], LONG_AGO, DUE + 2 * DAY) == DUE + 2 * DAY


def test_an_interrupted_run_is_owed_once_more() -> None:
    """Unless the next one is due anyway; and not a third time."""
    interrupted = last(DUE, RunOutcome.INTERRUPTED)
    now = DUE + timedelta(hours=1)
    assert owed(DAILY, [interrupted], LONG_AGO, now) == DUE
    assert owed(DAILY, [interrupted, last(DUE - DAY)], LONG_AGO, now) == DUE
    assert owed(DAILY, [interrupted, interrupted], LONG_AGO, now) is None
    assert owed(DAILY, [interrupted, interrupted], LONG_AGO, DUE + DAY) == DUE + DAY


@pytest.fixture(name="state")
def _state(postgres_url: str) -> Iterator[PostgresState]:
    state = PostgresState(postgres_url)
    yield state
    state.close()


class Process:
    """A daemon, as far as its schedule goes."""

    def __init__(
        self,
        state: PostgresState,
        do: Callable[[Recorder], None],
        cron: Cron = SECONDLY,
        may: Callable[[], bool] = lambda: True,
    ) -> None:
        self.clock = SystemClock()
        self.history = PostgresHistory(state.url, "syncer")
        task = Task("articles", "verify", cron, 0.0)
        self.schedule = Schedule(
            [task], self.history, self.clock, lambda _task, recorder: do(recorder), lambda _task: may()
        )

    def runs(self) -> list[Run]:
        """The oldest first."""
        return list(reversed(self.history.runs(["articles"], limit=1000)))


@pytest.fixture(name="start")
def _start(state: PostgresState) -> Iterator[Callable[..., Process]]:
    with ExitStack() as stack:

        def start(
            do: Callable[[Recorder], None], cron: Cron = SECONDLY, may: Callable[[], bool] = lambda: True
        ) -> Process:
            process = Process(state, do, cron, may)
            stack.callback(process.history.close)
            stack.enter_context(process.schedule)
            return process

        yield start


def done(recorder: Recorder) -> None:
    recorder.ended(ExitCode.DONE, {"rows": 5})


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_run_each_due_time_once(start: Callable[..., Process]) -> None:
    """Whoever comes first; with what came of it."""
    one, _ = start(done), start(done)
    eventually(lambda: len([run for run in one.runs() if run.finished_at]) >= 4)
    due = [run.due_at for run in one.runs()]
    assert due == sorted(set(due), key=str)
    ended = [run for run in one.runs() if run.finished_at]
    assert {(run.outcome, str(run.detail), run.schedule) for run in ended} == {
        (RunOutcome.DONE, "{'rows': 5}", "every second")
    }


def test_a_process_that_may_not_leaves_the_due_times_to_others(start: Callable[..., Process]) -> None:
    """It has another configuration than the index."""
    asked: list[bool] = []

    def may() -> bool:
        asked.append(True)
        return False

    def never(recorder: Recorder) -> None:
        raise AssertionError("it may not")

    start(never, may=may)
    eventually(lambda: len(asked) >= 3)
    able = start(done)
    eventually(lambda: len([run for run in able.runs() if run.outcome is RunOutcome.DONE]) >= 3)
    assert {run.outcome for run in able.runs()} <= {RunOutcome.DONE, RunOutcome.RUNNING}


def test_two_processes_never_run_a_job_at_once(start: Callable[..., Process]) -> None:
    """Though it is due again and again while it runs."""
    under_way = {"now": 0, "most": 0}
    beyond = Event()

    def long(recorder: Recorder) -> None:
        under_way["now"] += 1
        under_way["most"] = max(under_way.values())
        beyond.wait(2.5)
        under_way["now"] -= 1
        done(recorder)

    one, _ = start(long), start(long)
    eventually(lambda: len(one.runs()) >= 2)
    beyond.set()
    assert under_way["most"] == 1


def enter(state: PostgresState, outcome: str, due_at: datetime) -> None:
    """Enter a run of another process, which is gone."""
    state.execute(
        "INSERT INTO syncer.runs (pipeline, job, schedule, due_at, started_at, outcome, detail, host, pid) "
        "VALUES ('articles', 'verify', %s, %s, %s, %s, '{}', 'h', 1)",
        DAILY.text,
        due_at,
        due_at,
        outcome,
    )


def test_what_was_missed_while_nothing_ran_is_run_at_the_start(
    state: PostgresState, start: Callable[..., Process]
) -> None:
    """Once, for the latest due time."""
    enter(state, "done", datetime.now(UTC) - 10 * DAY)
    process = start(done, DAILY)
    eventually(lambda: len(process.runs()) == 2 and process.runs()[1].finished_at)
    assert process.runs()[1].due_at == DAILY.latest(LONG_AGO, datetime.now(UTC))


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_run_whose_process_was_killed_is_run_again_once(
    state: PostgresState, start: Callable[..., Process], attempts: int
) -> None:
    """By whoever looks next."""
    due_at = DAILY.latest(LONG_AGO, datetime.now(UTC))
    assert due_at is not None
    for _ in range(attempts):
        enter(state, "running", due_at)
    process = start(done, DAILY)
    outcomes = ["interrupted"] * attempts + (["done"] if attempts == 1 else [])
    eventually(lambda: [run.outcome.value for run in process.runs()] == outcomes)
    assert {run.due_at for run in process.runs()} == {due_at}


def test_an_error_ends_the_run_and_nothing_else(start: Callable[..., Process]) -> None:
    """A bug as well: the next due time comes."""
    errors = [FatalError("the table is gone", hint="look"), KeyError("bug")]

    def fail(recorder: Recorder) -> None:
        if errors:
            raise errors.pop(0)
        done(recorder)

    process = start(fail)
    eventually(lambda: RunOutcome.DONE in {run.outcome for run in process.runs()})
    assert [(run.outcome, run.detail) for run in process.runs()[:2]] == [
        (RunOutcome.FAILED, {"error": "the table is gone"}),
        (RunOutcome.FAILED, {"error": "KeyError: 'bug'"}),
    ]


def test_a_job_is_asked_to_stop_with_the_process(state: PostgresState) -> None:
    """Its run counts as interrupted, so that it is run again."""
    begun = Event()

    def until_stopped(recorder: Recorder) -> None:
        begun.set()
        recorder.clock.wait(PATIENCE_SECONDS)
        assert recorder.clock.stopping()
        recorder.ended(ExitCode.REMAINDER, {"read": 7})

    process = Process(state, until_stopped)
    with process.schedule:
        assert begun.wait(PATIENCE_SECONDS)
        process.clock.stop()
    assert [(run.outcome, run.detail) for run in process.runs()] == [(RunOutcome.INTERRUPTED, {"read": 7})]
    process.history.close()


def test_a_job_is_asked_to_stop_where_its_hold_is_lost(state: PostgresState, start: Callable[..., Process]) -> None:
    """For another process may have begun it."""
    begun, ended = Event(), Event()

    def until_stopped(recorder: Recorder) -> None:
        begun.set()
        while not recorder.clock.stopping():
            recorder.clock.wait(0.05)
        ended.set()

    process = start(until_stopped, SECONDLY)
    assert begun.wait(PATIENCE_SECONDS)
    state.end_sessions("syncer verify articles")
    assert ended.wait(PATIENCE_SECONDS)
    eventually(lambda: process.runs()[0].outcome is RunOutcome.INTERRUPTED)
