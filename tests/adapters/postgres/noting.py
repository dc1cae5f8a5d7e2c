"""Triggers on a table of the test's, and what they have noted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg
from sqlalchemy import text

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.installation import installation
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.tables import TOMBSTONES, qualified
from syncer.adapters.postgres.trigger_facts import TriggerFacts, trigger_facts
from syncer.adapters.postgres.triggers import TombstoneTriggers
from syncer.core.noted_table import NotedTable
from syncer.core.table import Table

Connection = psycopg.Connection[Any]
#: Key and routing.
Noted = tuple[list[str] | None, str | None]

SCHEMA = "syncer"
TRUNCATED: Noted = (None, None)
#: Of an installation.
UNTOLD: Noted = ([], None)


ITEM = """
CREATE TABLE item (id bigint PRIMARY KEY, tenant text, title text, updated_at timestamptz DEFAULT now());
INSERT INTO item SELECT i, 'a', 'title' FROM generate_series(1, 5) AS i
"""
PARTITIONED = """
CREATE TABLE item (id bigint PRIMARY KEY, updated_at timestamptz DEFAULT now()) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF item FOR VALUES FROM (0) TO (10);
CREATE TABLE high PARTITION OF item FOR VALUES FROM (10) TO (30) PARTITION BY RANGE (id);
CREATE TABLE higher PARTITION OF high FOR VALUES FROM (10) TO (20);
INSERT INTO item VALUES (1), (2), (11), (12)
"""


def keys(*ids: object) -> list[Noted]:
    return [([str(id_)], None) for id_ in ids]


def facts(session: Session, table: Table, schema: str = SCHEMA, columns: Collection[str] = ()) -> TriggerFacts:
    return trigger_facts(session, table, schema, columns, holds_state=False)


def script(session: Session, table: Table, schema: str = SCHEMA) -> str:
    """Return what `syncer install-triggers --print` prints."""
    return str(TombstoneTriggers(table, schema).install(facts(session, table, schema).around))


def install(session: Session, table: Table, schema: str = SCHEMA, columns: Collection[str] = ()) -> None:
    """Install the triggers, and forget that this was noted."""
    install_noting(session, table, schema, columns)
    with session.transaction() as connection:
        connection.execute(text("SET TRANSACTION READ WRITE"))
        connection.execute(text(f"DELETE FROM {qualified(schema, TOMBSTONES)} WHERE key = '{{}}'"))


def install_noting(session: Session, table: Table, schema: str = SCHEMA, columns: Collection[str] = ()) -> None:
    around, lock = facts(session, table, schema).around, AdvisoryLock.on(schema)
    TombstoneTriggers(table, schema, columns).install(around).run(session, lock, denied="ask the owner")


def install_all(session: Session, table: Table, *, wakes: bool = True) -> None:
    """Install the triggers as `syncer install-triggers` does, with those that tell of each commit or without."""
    noted, around = NotedTable(table, frozenset(), wakes=wakes), facts(session, table).around
    installation(noted, SCHEMA, around).run(session, AdvisoryLock.on(SCHEMA), denied="ask the owner")


def remove(session: Session, table: Table, schema: str = SCHEMA) -> None:
    TombstoneTriggers(table, schema).remove().run(session, AdvisoryLock.on(schema), denied="ask the owner")


def noted(admin: Connection, relation: str = "public.item") -> list[Noted]:
    """Return what was noted since it was last asked for, in its order."""
    rows = admin.execute("SELECT key, routing FROM syncer.tombstones WHERE relation = %s ORDER BY id", (relation,))
    found = [(row[0], row[1]) for row in rows]
    admin.execute("DELETE FROM syncer.tombstones")
    return found
