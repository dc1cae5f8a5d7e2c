"""What the state keeps of the words of others has no secrets in it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from syncer.adapters.postgres.history import PostgresHistory
from syncer.adapters.postgres.migrate import migrate
from syncer.adapters.postgres.state import PostgresStateStore
from syncer.core.key_range import KeyRange
from syncer.core.position import Position
from syncer.core.run import RunOutcome
from syncer.core.settlement import Checkpoint, DeadLetter, Settlement
from tests.contract.examples import INDEX, NOON, RECORD

SECRET = "hunter2-hunter2"


def redact(text: str) -> str:
    return text.replace(SECRET, "***")


def told(reason: str) -> DeadLetter:
    return DeadLetter((reason[:5],), 1, "refused", reason, NOON)


@pytest.fixture(name="store")
def _store(postgres_url: str) -> Iterator[PostgresStateStore]:
    migrate(postgres_url, "syncer")
    store = PostgresStateStore(postgres_url, "syncer", redact=redact)
    store.register(RECORD)
    yield store
    store.close()


def rows(url: str) -> str:
    """Return every row of the state."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'syncer'").fetchall()
        return "\n".join(
            str(row) for (table,) in tables for row in connection.execute(f"SELECT t::text FROM syncer.{table} AS t")
        )


def test_reasons_are_stored_without_secrets(store: PostgresStateStore, postgres_url: str) -> None:
    """Of dead letters, whoever enters them, and of what is put off; one that is cut off too."""
    store.record(INDEX, Settlement(dead_letters=[told(f"1 said {SECRET}")]))
    lease = store.acquire(INDEX)
    put_off = Checkpoint(Position(NOON, None), NOON, complete=False, deferred=1, deferred_reason=f"busy {SECRET}")
    lease.commit(Settlement({"items": put_off}, dead_letters=[told(f"2 said {SECRET}")]))
    lease.release()
    backfill = store.backfill(INDEX)
    backfill.plan([KeyRange(0, None, None, 4)])
    (part,) = backfill.ranges()
    backfill.advance(part, Settlement(dead_letters=[told(f"3 said {SECRET}"), told("4" + "x" * 3990 + SECRET)]))
    backfill.release()
    found = rows(postgres_url)
    assert "hunter" not in found
    for words in ("1 said ***", "2 said ***", "3 said ***", "busy ***"):
        assert words in found


def test_how_a_run_ended_is_stored_without_secrets(store: PostgresStateStore, postgres_url: str) -> None:
    """At any depth; names are those of fields."""
    history = PostgresHistory(postgres_url, "syncer", redact=redact)
    run = history.hold("articles", "verify")
    run.begin(NOON)
    run.end(NOON, RunOutcome.FAILED, {"error": f"said {SECRET}", "samples": {"a": [f"{SECRET}!", 1, None]}})
    run.release()
    (kept,) = history.runs(["articles"], limit=1)
    history.close()
    assert json.loads(json.dumps(kept.detail)) == {"error": "said ***", "samples": {"a": ["***!", 1, None]}}
    assert "hunter" not in rows(postgres_url)
