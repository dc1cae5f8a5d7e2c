"""The history of runs, and who may make one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from syncer.adapters.postgres.history import PostgresHistory, PostgresRun
from syncer.core.error import ConfigurationError, LeaseHeld
from syncer.core.run import RunOutcome
from tests.adapters.postgres.waiting import wait_for
from tests.contract.shared_state import PostgresState

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SCHEDULE = "0 3 * * * UTC"


@pytest.fixture(name="state")
def _state(postgres_url: str) -> Iterator[PostgresState]:
    state = PostgresState(postgres_url)
    yield state
    state.close()


@pytest.fixture(name="history")
def _history(state: PostgresState) -> Iterator[PostgresHistory]:
    history = PostgresHistory(state.url, "syncer")
    yield history
    history.close()


@pytest.fixture(name="held")
def _held(history: PostgresHistory) -> Iterator[PostgresRun]:
    held = history.hold("articles", "verify")
    yield held
    held.release()


def run(
    history: PostgresHistory, job: str = "verify", pipeline: str = "articles", due_at: datetime | None = None
) -> None:
    held = history.hold(pipeline, job)
    held.begin(NOON, schedule=SCHEDULE if due_at else None, due_at=due_at)
    held.end(NOON, RunOutcome.DONE, {})
    held.release()


def outcomes(history: PostgresHistory) -> list[str]:
    return [found.outcome.value for found in history.runs(["articles"], limit=10)]


def test_a_run_is_kept_from_its_beginning_to_its_end(history: PostgresHistory, held: PostgresRun) -> None:
    """With what it was due by, and who made it."""
    held.begin(NOON, schedule=SCHEDULE, due_at=NOON - timedelta(seconds=5))
    (begun,) = history.runs(["articles"], limit=10)
    assert (begun.outcome, begun.finished_at, begun.pid) == (RunOutcome.RUNNING, None, os.getpid())
    held.end(
        NOON + timedelta(seconds=9), RunOutcome.REMAINDER, {"missing": 3, "samples": {"missing": ["a\0b", "\ud800"]}}
    )
    (ended,) = history.runs(["articles"], limit=10)
    assert (ended.pipeline, ended.job, ended.schedule, ended.due_at) == (
        "articles",
        "verify",
        SCHEDULE,
        NOON - timedelta(seconds=5),
    )
    assert (ended.outcome, ended.finished_at) == (RunOutcome.REMAINDER, NOON + timedelta(seconds=9))
    assert ended.detail == {"missing": 3, "samples": {"missing": ["a\ufffdb", "?"]}}


def test_a_job_is_held_by_one_process(history: PostgresHistory, held: PostgresRun) -> None:
    """Another job of the pipeline, and the job of another pipeline, are something else."""
    with pytest.raises(LeaseHeld, match="the verify of pipeline 'articles' is held by another process"):
        history.hold("articles", "verify")
    history.hold("articles", "prune").release()
    history.hold("others", "verify").release()
    held.release()
    history.hold("articles", "verify").release()


def test_a_run_whose_session_was_lost_is_entered_all_the_same(
    state: PostgresState, history: PostgresHistory, held: PostgresRun
) -> None:
    """A rebuild goes on when the state comes back; that somebody else has called it interrupted meanwhile is mended."""
    history.settle_abandoned(NOON)
    held.begin(NOON)
    assert held.held
    state.end_sessions()
    wait_for(lambda: not held.held or None)
    other = PostgresHistory(state.url, "syncer")
    other.settle_abandoned(NOON)
    assert outcomes(other) == ["interrupted"]
    held.end(NOON, RunOutcome.DONE, {})
    assert outcomes(other) == ["done"]
    other.close()


def test_a_run_whose_process_is_gone_was_interrupted(
    state: PostgresState, history: PostgresHistory, held: PostgresRun
) -> None:
    """Whoever looks next sees it; one that goes on is left alone."""
    held.begin(NOON)
    history.settle_abandoned(NOON)
    assert outcomes(history) == ["running"]
    state.end_sessions("syncer verify articles")
    history.settle_abandoned(NOON + timedelta(minutes=1))
    (found,) = history.runs(["articles"], limit=1)
    assert (found.outcome, found.finished_at) == (RunOutcome.INTERRUPTED, NOON + timedelta(minutes=1))


def test_who_holds_a_job_settles_what_was_left_of_it(state: PostgresState, history: PostgresHistory) -> None:
    """And nothing of another job."""
    verify, prune = history.hold("articles", "verify"), history.hold("articles", "prune")
    verify.begin(NOON)
    prune.begin(NOON)
    state.end_sessions("syncer verify articles")
    again = history.hold("articles", "verify")
    again.settle_abandoned(NOON)
    assert outcomes(history) == ["running", "interrupted"]
    again.release()
    prune.release()


def test_runs_are_listed_the_newest_first(history: PostgresHistory) -> None:
    """Those of some pipelines, of one job, and so many."""
    for job in ("verify", "prune", "verify"):
        run(history, job)
    run(history, pipeline="others")
    assert [found.job for found in history.runs(["articles"], limit=10)] == ["verify", "prune", "verify"]
    assert len(history.runs(["articles", "others"], limit=10)) == 4
    assert len(history.runs(["articles"], job="verify", limit=10)) == 2
    assert len(history.runs(["articles"], limit=1)) == 1
    assert history.newest_due("articles", "verify", SCHEDULE, 2) == []


def test_the_last_due_runs_are_those_of_this_very_schedule(history: PostgresHistory) -> None:
    """Not those by hand, nor those before somebody changed it."""
    for hours in (3, 2, 1):
        run(history, due_at=NOON - timedelta(hours=hours))
    run(history)
    found = history.newest_due("articles", "verify", SCHEDULE, 2)
    assert [each.due_at for each in found] == [NOON - timedelta(hours=1), NOON - timedelta(hours=2)]
    assert history.newest_due("articles", "verify", "0 4 * * * UTC", 2) == []


def test_old_runs_are_pruned(history: PostgresHistory) -> None:
    """The newest stay, the last due one of each job, and those of other pipelines."""
    run(history, "backfill", due_at=NOON)
    for _ in range(5):
        run(history)
    run(history, pipeline="others")
    assert history.prune("articles", 2) == 3
    assert [found.job for found in history.runs(["articles"], limit=10)] == ["verify", "verify", "backfill"]
    assert len(history.runs(["others"], limit=10)) == 1
    assert history.prune("articles", 2) == 0


def test_without_a_schema_it_says_what_creates_it(postgres_url: str) -> None:
    """As the rest of the state."""
    history = PostgresHistory(postgres_url, "syncer")
    with pytest.raises(ConfigurationError) as missing:
        history.runs(["articles"], limit=1)
    assert "syncer migrate" in missing.value.hint
    history.close()
