"""`syncer history` and `syncer schedule` on real servers."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from syncer.adapters.postgres.history import PostgresHistory
from tests.app.deployment import Deployment


@pytest.fixture(name="loaded")
def _loaded(deployment: Deployment) -> Deployment:
    """An index of one row; a backfill is scheduled in Berlin."""
    deployment.configure(schedule={"backfill": "30 3 * * 1", "prune": False, "timezone": "Europe/Berlin"})
    deployment.sql("INSERT INTO articles VALUES (1, 'a', '7')")
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    return deployment


def test_commands_keep_their_runs(loaded: Deployment) -> None:
    """With what they print; the newest first."""
    backfill, verify = loaded.json("backfill", "articles"), loaded.json("verify", "articles")
    code, found = loaded.json("history")
    assert code == 0
    assert [(run["job"], run["due_at"], run["outcome"], run["detail"]) for run in found["runs"]] == [
        ("verify", None, "done", verify[1]),
        ("backfill", None, "done", backfill[1]),
    ]
    assert [run["job"] for run in loaded.json("history", "articles", "--job", "verify")[1]["runs"]] == ["verify"]
    assert [run["job"] for run in loaded.json("history", "--limit", "1")[1]["runs"]] == ["verify"]
    code, out, _ = loaded.run("history")
    assert code == 0
    assert "by hand" in out
    assert "read 1, applied 1" in out


def test_what_a_changed_configuration_brings_about_is_kept_too(loaded: Deployment) -> None:
    """With the differences, though nobody has asked for it."""
    loaded.configure(on_change="rebuild", fields={"title": "keyword"})
    assert loaded.run("run", "--once")[0] == 0
    [run] = loaded.json("history", "--job", "rebuild")[1]["runs"]
    assert (run["schedule"], run["due_at"], run["outcome"]) == ("on change", None, "done")
    assert run["detail"]["applied"] >= 1
    assert any("title" in change for change in run["detail"]["changes"])
    assert "on change" in loaded.run("history")[1]


def test_a_job_that_there_is_not_is_refused(loaded: Deployment) -> None:
    """With those that there are."""
    code, out, err = loaded.run("history", "--job", "verfy")
    assert (code, out) == (2, "")
    assert "'verify'" in err


def test_a_command_that_leaves_something_or_fails_says_so(loaded: Deployment) -> None:
    """Differences remain; then an error ends it."""
    loaded.elastic.client.delete(index=f"{loaded.prefix}-articles", id="1", refresh=True)
    assert loaded.run("verify", "articles")[0] == 1
    loaded.sql("DELETE FROM articles")
    loaded.elastic.client.index(index=f"{loaded.prefix}-articles", id="7", document={"title": "x"}, refresh=True)
    assert loaded.run("verify", "articles", "--repair")[0] == 4
    failed, left = loaded.json("history")[1]["runs"]
    assert (left["outcome"], left["detail"]["missing"]) == ("remainder", 1)
    assert failed["outcome"] == "failed"
    assert failed["detail"]["error"] in loaded.run("history")[1]


@pytest.mark.parametrize("job", ["backfill", "verify"])
def test_a_command_does_not_run_beside_another_run_of_its_kind(loaded: Deployment, job: str) -> None:
    """It names the holder; and nothing is entered, for nothing was run."""
    history = PostgresHistory(loaded.postgres_url, "syncer")
    held = history.hold("articles", job)
    code, _, err = loaded.run(job, "articles")
    assert (code, f"the {job} of pipeline 'articles' is held by another process" in err) == (5, True)
    assert loaded.json("history")[1] == {"runs": []}
    held.release()
    history.close()
    assert loaded.run(job, "articles")[0] == 0


def test_a_run_whose_process_is_gone_is_shown_as_interrupted(loaded: Deployment) -> None:
    """By both commands."""
    loaded.sql(
        "INSERT INTO syncer.runs (pipeline, job, started_at, outcome, detail, host, pid) "
        "VALUES ('articles', 'backfill', now(), 'running', '{}', 'h', 1)"
    )
    assert loaded.json("history")[1]["runs"][0]["outcome"] == "interrupted"
    assert loaded.json("schedule")[1]["jobs"][0]["last_run"]["outcome"] == "interrupted"


def test_the_schedule_tells_what_is_next_and_how_it_went(loaded: Deployment) -> None:
    """Of every job, also of those that are off."""
    assert loaded.run("backfill", "articles")[0] == 0
    code, found = loaded.json("schedule", "articles")
    assert code == 0
    backfill, verify, retention, prune = found["jobs"]
    assert (backfill["pipeline"], backfill["job"]) == ("articles", "backfill")
    assert (backfill["cron"], backfill["timezone"]) == ("30 3 * * 1", "Europe/Berlin")
    assert backfill["last_run"]["outcome"] == "done"
    next_at = datetime.fromisoformat(backfill["next_at"])
    assert next_at > datetime.now(UTC)
    assert next_at.astimezone(ZoneInfo("Europe/Berlin")).strftime("%a %H:%M") == "Mon 03:30"
    assert retention["next_at"]
    for off in (verify, prune):
        assert (off["cron"], off["next_at"], off["last_run"]) == (None, None, None)
    code, out, _ = loaded.run("schedule")
    assert code == 0
    (line,) = (line for line in out.splitlines() if " backfill " in line)
    assert line.split()[:8] == ["articles", "backfill", "30", "3", "*", "*", "1", "Europe/Berlin"]
    assert f"{next_at:%Y-%m-%d %H:%M:%S} UTC" in line
    assert line.rstrip().endswith("done")


@pytest.mark.parametrize("command", ["schedule", "history"])
def test_an_unknown_pipeline_is_told(loaded: Deployment, command: str) -> None:
    """As by every command."""
    code, _, err = loaded.run(command, "nonsense")
    assert code == 2
    assert "there is no pipeline 'nonsense'" in err


def test_without_a_state_schema_it_says_what_creates_it(deployment: Deployment) -> None:
    """As every command."""
    for command in ("schedule", "history"):
        code, _, err = deployment.run(command)
        assert code == 2
        assert "syncer migrate" in err
