"""State that an earlier version of syncer has written, read by this one once it was migrated: from every revision."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from syncer.adapters.postgres.history import PostgresHistory
from syncer.adapters.postgres.migrate import alembic_config, migrate
from syncer.adapters.postgres.session import STATE_SETTINGS, Session
from syncer.adapters.postgres.state import PostgresStateStore
from syncer.adapters.postgres.tables import digest
from syncer.core.error import StateUnavailable
from syncer.core.index import IndexIdentity, Phase
from syncer.core.position import Position
from syncer.core.run import RunOutcome
from syncer.core.settlement import Checkpoint, DeadLetter, Settlement
from syncer.core.source_state import SourceIdentity
from tests.contract.shared_state import execute

LEVELS = ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009"]
AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
INDEX = "items-1"

#: By the revision that brought what it fills: what syncer writes.
WRITTEN = {
    "0001": [
        "SELECT setval('syncer.version', 700)",
        "INSERT INTO syncer.indices (name, pipeline, alias, phase, epoch, fingerprint, identity, source, followed) "
        """VALUES ('items-1', 'items', 'items', 'live', 7, '{"model": "1"}', '{"uuid": "u", "histories": {"0": "h"}}'"""
        """, '{"system_identifier": "42", "started_at": "2026-05-04T12:00:00+00:00", "timeline": 3}', true)""",
        "INSERT INTO syncer.checkpoints (index, feed, watermark, key, polled_at, complete) "
        "VALUES ('items-1', 'public.items', '2026-05-04 12:00Z', '{9}', '2026-05-04 12:00Z', true)",
        "INSERT INTO syncer.backfill_ranges (index, number, after, through, rows, position, in_flight, settled_rows, "
        """done) VALUES ('items-1', 0, NULL, '{100}', 100, '{40}', '[["41"]]', 40, false)""",
    ],
    "0002": ["INSERT INTO syncer.pauses VALUES ('items', '2026-05-04 12:00Z')"],
    "0004": [
        "INSERT INTO syncer.runs (pipeline, job, started_at, finished_at, outcome, detail, host, pid) VALUES "
        """('items', 'verify', '2026-05-04 12:00Z', '2026-05-04 12:00Z', 'done', '{"rows": 1}', 'h', 1)""",
    ],
    "0005": ["UPDATE syncer.checkpoints SET deferred = 3, deferred_reason = 'full'"],
    "0006": [
        "INSERT INTO syncer.fan_outs (index, digest, way, reached_by, waits_since) "
        "VALUES ('items-1', 'd', 'author', '{1}', '2026-05-04 12:00Z')",
    ],
    "0007": ["UPDATE syncer.indices SET reconcile = '2026-05-04 12:00Z', truncated = NULL"],
    "0008": ["UPDATE syncer.indices SET texts_embedded = 5"],
}


@pytest.fixture(name="level", params=LEVELS)
def _level(request: pytest.FixtureRequest, postgres_url: str) -> str:
    """A state of this revision, written to, and then migrated."""
    level = str(request.param)
    execute(postgres_url, "CREATE SCHEMA syncer")
    session = Session(postgres_url, setting="state.url", settings=STATE_SETTINGS, unavailable=StateUnavailable)
    with session.transaction() as connection:
        command.upgrade(alembic_config(connection, "syncer"), level)
    session.close()
    for revision, statements in WRITTEN.items():
        if revision <= level:
            for statement in statements:
                execute(postgres_url, statement)
    execute(
        postgres_url,
        "INSERT INTO syncer.dead_letters (index, digest, key, version, kind, reason, attempts, first_at, last_at) "
        "VALUES ('items-1', %s, '{8}', 5, 'mapper_parsing', 'no number', 2, %s, %s)",
        digest(["8"]),
        AT,
        AT,
    )
    assert migrate(postgres_url, "syncer") == (level, LEVELS[-1])
    return level


@pytest.fixture(name="store")
def _store(postgres_url: str, level: str) -> Iterator[PostgresStateStore]:
    made = PostgresStateStore(postgres_url, "syncer")
    yield made
    made.close()


def test_every_revision_is_tried(postgres_url: str) -> None:
    """Whoever adds one adds it here, with what it stores."""
    session = Session(postgres_url, setting="state.url", settings=STATE_SETTINGS, unavailable=StateUnavailable)
    with session.use() as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection, "syncer")).walk_revisions()
        assert sorted(script.revision for script in scripts) == LEVELS
    session.close()


def test_what_an_earlier_version_wrote_is_read(store: PostgresStateStore, level: str, postgres_url: str) -> None:
    """Indices, checkpoints, dead letters, unfinished backfills, pauses and runs; what is new has its quiet default."""
    record = store.index("items")
    assert record is not None
    assert (record.name, record.phase, record.epoch, record.followed) == (INDEX, Phase.LIVE, 7, True)
    assert record.fingerprint == {"model": "1"}
    assert record.identity == IndexIdentity("u", {"0": "h"})
    assert record.source == SourceIdentity("42", AT, 3)
    assert record.reconcile == (AT if level >= "0007" else None)
    assert record.truncated is None
    assert record.texts.embedded == (5 if level >= "0008" else 0)

    put_off = (3, "full") if level >= "0005" else (0, None)
    overview = store.overview(INDEX)
    assert overview.checkpoints == {"public.items": Checkpoint(Position(AT, ("9",)), AT, True, *put_off)}
    assert (overview.dead_letters, overview.passing) == (1, 0)
    assert overview.fan_outs == (1 if level >= "0006" else 0)
    [letter] = store.dead_letters(INDEX)
    assert letter == DeadLetter(("8",), 5, "mapper_parsing", "no number", AT, 2, False, AT)
    assert store.paused("items") == (AT if level >= "0002" else None)

    progress = store.backfill(INDEX)
    [part] = progress.ranges()
    assert (part.through, part.position, part.in_flight, part.settled_rows) == (("100",), ("40",), (("41",),), 40)
    progress.release()

    history = PostgresHistory(postgres_url, "syncer")
    runs = history.runs(["items"], limit=10)
    history.close()
    assert [(run.job, run.outcome) for run in runs] == [("verify", RunOutcome.DONE)] * (level >= "0004")


def test_it_is_written_to(store: PostgresStateStore, level: str) -> None:
    """The daemon goes on from there: with a higher number, a later checkpoint, and without the mended letter."""
    lease = store.acquire(INDEX)
    later = Checkpoint(Position(AT.replace(hour=13)), AT.replace(hour=13), True)
    number = lease.draw()
    assert number > 700
    lease.commit(Settlement({"public.items": later}, settled={("8",): number}))
    lease.release()
    assert lease.epoch == 8
    assert store.overview(INDEX).checkpoints == {"public.items": later}
    assert store.dead_letters(INDEX) == []
