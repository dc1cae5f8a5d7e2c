"""A daemon does what is due, what it missed, and what a killed one did not end; SIGTERM ends its jobs too."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.installation import Installation, eventually

#: Due once a day, and never while a test runs.
HOUR = (datetime.now(UTC).hour + 12) % 24
DAILY = f"0 {HOUR} * * *"


@pytest.fixture(name="loaded")
def _loaded(installation: Installation) -> Installation:
    """The documents of 2,000 rows, but for one."""
    configure(installation)
    # Below the checkpoint: else the first poll of a daemon might mend what a job is to mend.
    installation.sql(
        "INSERT INTO public.item (id, title, amount, updated_at) "
        "SELECT i, 'title ' || i, round(i / 7.0, 3), now() - interval '1 hour' FROM generate_series(1, 2000) AS i"
    )
    installation.succeed("run", "--once")
    installation.client.delete(index=installation.alias, id="7", refresh=True)
    return installation


def configure(installation: Installation, **pipeline: Any) -> None:
    schedule = {"verify": DAILY, "repair": True, "jitter": 0}
    installation.configure(poll={"interval": "100ms"}, index={"replicas": 0}, schedule=schedule, **pipeline)


def runs(installation: Installation) -> list[dict[str, Any]]:
    """What the scheduled runs have come to, the oldest first."""
    found = installation.json("history", "--job", "verify")["runs"]
    return [run for run in reversed(found) if run["due_at"]]


def miss(installation: Installation) -> datetime:
    """Let the last run be two days ago; return the due time that was missed since."""
    due_at = datetime.now(UTC).replace(hour=HOUR, minute=0, second=0, microsecond=0)
    due_at -= timedelta(days=due_at > datetime.now(UTC))
    installation.sql(
        "INSERT INTO syncer.runs (pipeline, job, schedule, due_at, started_at, outcome, detail, host, pid) "
        "VALUES (%s, 'verify', %s, %s, now(), 'done', '{}', 'h', 1)",
        installation.alias,
        f"{DAILY} UTC",
        due_at - timedelta(days=2),
    )
    return due_at


def outcomes(installation: Installation) -> list[tuple[str]]:
    return installation.sql("SELECT outcome FROM syncer.runs WHERE due_at IS NOT NULL ORDER BY id")


def test_what_was_missed_is_run_once_by_two_daemons(loaded: Installation) -> None:
    """Not each day that was missed; and the index is mended."""
    due_at = miss(loaded)
    with loaded.running("run") as one, loaded.running("run") as other:
        eventually(lambda: outcomes(loaded) == [("done",), ("done",)], "the run that was missed")
        one.wait_for("attached" if one.saw("attached") else "standing by")
        other.wait_for("attached" if other.saw("attached") else "standing by")
        assert (one.terminate(), other.terminate()) == (0, 0)
    _, run = runs(loaded)
    assert datetime.fromisoformat(run["due_at"]) == due_at
    assert (run["detail"]["missing"], run["detail"]["repaired"]) == (1, 1)
    assert one.saw("job ended") != other.saw("job ended")
    loaded.assert_equal()


def test_a_run_whose_daemon_is_killed_is_run_again(loaded: Installation) -> None:
    """By the next one, at once. To read the table takes ten seconds."""
    configure(loaded, where="pg_sleep(0.005) IS NOT NULL")
    miss(loaded)
    loaded.succeed("rebuild", loaded.alias)
    with loaded.running("run") as daemon:
        daemon.wait_for("job begins")
        daemon.kill()
    with loaded.running("run"):
        eventually(lambda: outcomes(loaded) == [("done",), ("interrupted",), ("done",)], "it is run again")
    _, first, again = runs(loaded)
    assert first["due_at"] == again["due_at"]


@pytest.mark.parametrize("job", ["verify", "backfill"])
def test_sigterm_ends_a_job_with_the_daemon(loaded: Installation, job: str) -> None:
    """Within five seconds, with 0; it was interrupted."""
    schedule = {job: DAILY, "jitter": 0}
    where = "pg_sleep(0.005) IS NOT NULL"
    loaded.configure(poll={"interval": "100ms"}, index={"replicas": 0}, schedule=schedule, where=where)
    loaded.succeed("rebuild", loaded.alias)
    miss(loaded)
    loaded.sql("UPDATE syncer.runs SET job = %s", job)
    with loaded.running("run") as daemon:
        daemon.wait_for("job begins")
        daemon.wait_for("attached")
        before = time.monotonic()
        assert daemon.terminate() == 0
        assert time.monotonic() - before < 5
    assert loaded.json("history", "--job", job)["runs"][0]["outcome"] == "interrupted"
