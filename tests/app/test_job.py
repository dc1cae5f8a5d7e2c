"""What jobs do, on real servers, and what their runs say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ByteSize

from syncer.adapters.clock import SystemClock
from syncer.app.job import do
from syncer.app.recorded import Recorder
from syncer.app.schedule_settings import Job
from syncer.app.settings import CacheSettings, Settings
from syncer.app.wiring import Application
from syncer.core.run import RunOutcome
from syncer.core.settlement import DeadLetter, Settlement
from tests.app.deployment import Deployment


@pytest.fixture(name="loaded")
def _loaded(deployment: Deployment) -> Deployment:
    """An index of two rows."""
    deployment.sql("INSERT INTO articles VALUES (1, 'a', '7'), (2, 'b', '8')")
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    return deployment


@pytest.fixture(name="application")
def _application(loaded: Deployment) -> Iterator[Application]:
    made = open_application(loaded)
    yield made
    made.close()


def open_application(deployment: Deployment) -> Application:
    return Application(Settings.load(deployment.folder / "syncer.yaml", {}), SystemClock())


def run(application: Application, job: Job) -> Recorder:
    recorder = Recorder(SystemClock())
    do(application, "articles", job, recorder)
    return recorder


def test_a_backfill_delivers_every_row(application: Application) -> None:
    """Its run has what the command prints."""
    ended = run(application, Job.BACKFILL)
    assert (ended.outcome, ended.detail["read"], ended.detail["pipeline"]) == (RunOutcome.DONE, 2, "articles")


@pytest.mark.parametrize("repair", [False, True])
def test_a_verification_mends_where_it_is_told_to(loaded: Deployment, repair: bool) -> None:
    """Else differences remain."""
    loaded.configure(schedule={"verify": "0 5 * * 0", "repair": repair})
    alias = f"{loaded.prefix}-articles"
    loaded.elastic.client.delete(index=alias, id="1", refresh=True)
    application = open_application(loaded)
    ended = run(application, Job.VERIFY)
    application.close()
    assert ended.outcome is (RunOutcome.DONE if repair else RunOutcome.REMAINDER)
    assert (ended.detail["missing"], ended.detail["repaired"]) == (1, int(repair))
    loaded.elastic.client.indices.refresh(index=alias)
    assert loaded.elastic.client.exists(index=alias, id="1").body is repair


def test_a_repair_deletes_no_more_than_it_may(loaded: Deployment) -> None:
    """As the command does without --force."""
    loaded.configure(schedule={"verify": "0 5 * * 0", "repair": True})
    loaded.sql("DELETE FROM articles WHERE id = 1")
    application = open_application(loaded)
    ended = run(application, Job.VERIFY)
    application.close()
    assert ended.outcome is RunOutcome.FAILED
    assert "limits.delete_ratio" in ended.detail["error"]


def test_retention_deletes_indices_that_are_kept_for_too_long(loaded: Deployment, application: Application) -> None:
    """And says which."""
    client, old = loaded.elastic.client, f"{loaded.prefix}-articles-20250101-000000-000"
    client.indices.create(index=old)
    loaded.sql(
        "INSERT INTO syncer.indices (name, pipeline, alias, followed, phase, epoch, fingerprint, kept_since) "
        f"VALUES ('{old}', 'articles', 'x', false, 'kept', 1, '{{}}', now() - interval '1 year')"
    )
    ended = run(application, Job.RETENTION)
    assert (ended.outcome, ended.detail) == (RunOutcome.DONE, {"pipeline": "articles", "deleted": [old]})
    assert not client.indices.exists(index=old).body
    assert run(application, Job.RETENTION).detail["deleted"] == []


def test_prune_clears_what_is_not_needed(loaded: Deployment, application: Application) -> None:
    """Vectors that nothing wants, dead letters of rows that are right or gone, and old runs."""
    record = application.store.index("articles")
    assert record is not None
    loaded.sql("INSERT INTO articles VALUES (3, 'unindexed', '')")
    now = datetime.now(UTC)
    letters = [DeadLetter((key,), 5, "kind", "reason", now) for key in ("1", "3", "99")]
    application.store.record(record.name, Settlement(dead_letters=letters))
    loaded.sql(
        """
        INSERT INTO syncer.embeddings
        VALUES ('m', 'a', '', now() - interval '181 days'), ('m', 'b', '', now() - interval '179 days');
        INSERT INTO syncer.runs (pipeline, job, started_at, outcome, detail, host, pid)
        SELECT 'articles', 'verify', now(), 'done', '{}', 'h', 1 FROM generate_series(1, 1003)
        """
    )
    ended = run(application, Job.PRUNE)
    assert ended.detail == {"pipeline": "articles", "vectors": 1, "dead_letters": 2, "runs": 3}
    assert ended.outcome is RunOutcome.DONE
    (left,) = application.store.dead_letters(record.name)
    assert left.key == ("3",)


def test_prune_keeps_vectors_within_their_size(loaded: Deployment) -> None:
    """Those that were wanted last."""
    loaded.sql(
        """
        INSERT INTO syncer.embeddings
        VALUES ('m', 'a', repeat('x', 600)::bytea, now() - interval '2 days'),
               ('m', 'b', repeat('x', 600)::bytea, now() - interval '1 day')
        """
    )
    settings = Settings.load(loaded.folder / "syncer.yaml", {})
    small = settings.embedding.model_copy(update={"cache": CacheSettings(size=ByteSize(1000))})
    application = Application(settings.model_copy(update={"embedding": small}), SystemClock())
    assert run(application, Job.PRUNE).detail["vectors"] == 0, "the bound is met within the vectors of one minute"
    loaded.sql("INSERT INTO syncer.embeddings VALUES ('m', 'c', repeat('x', 600)::bytea, now())")
    assert run(application, Job.PRUNE).detail["vectors"] == 1
    application.close()


def reason(deployment: Deployment, job: Job) -> Any:
    application = open_application(deployment)
    ended = run(application, job)
    application.close()
    assert ended.outcome is RunOutcome.SKIPPED
    return ended.detail["reason"]


@pytest.mark.parametrize("job", list(Job))
def test_a_job_is_skipped_where_it_makes_no_sense(loaded: Deployment, job: Job) -> None:
    """Its run says why."""
    loaded.configure(fields={"title": "keyword"})
    assert "configuration" in reason(loaded, job)
    loaded.configure()
    assert loaded.run("pause", "articles")[0] == 0
    assert "paused since" in reason(loaded, job)
    assert loaded.run("resume", "articles")[0] == 0
    loaded.sql("DELETE FROM syncer.indices")
    assert "no loaded index" in reason(loaded, job)


def test_a_paused_pipeline_is_skipped_though_its_source_is_away(loaded: Deployment) -> None:
    """It may be paused for that."""
    loaded.configure(source={"url": "postgresql://a:b@127.0.0.1:1/c"}, state={"url": loaded.postgres_url})
    assert loaded.run("pause", "articles")[0] == 0
    assert "paused since" in reason(loaded, Job.BACKFILL)


def test_a_backfill_that_somebody_else_runs_is_not_run_twice(loaded: Deployment, application: Application) -> None:
    """Whoever it is: a rebuild fills indices as well."""
    (record,) = application.store.indices()
    hold = application.store.backfill(record.name)
    assert "held by another process" in reason(loaded, Job.BACKFILL)
    hold.release()
