"""What triggers note of related tables besides: the columns by which documents reach their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.triggers import TombstoneTriggers
from syncer.core.table import Table
from tests.adapters.postgres.conftest import ReadTable
from tests.adapters.postgres.noting import PARTITIONED, SCHEMA, Connection, facts, install, noted

Columns = Mapping[str, str | None] | None


def columns_of(admin: Connection) -> list[Columns]:
    """Return the columns that were noted since they were last asked for, in their order."""
    found = [row[0] for row in admin.execute("SELECT columns FROM syncer.tombstones ORDER BY id")]
    admin.execute("DELETE FROM syncer.tombstones")
    return found


def test_columns_are_noted_when_one_of_them_changes(item: Table, session: Session, admin: Connection) -> None:
    """As text, the old ones and the new ones; of a table with a watermark no other update, and no insert."""
    install(session, item, columns=("title", "id"))
    admin.execute("UPDATE item SET tenant = 'b'; INSERT INTO item VALUES (6)")
    assert columns_of(admin) == []
    admin.execute("UPDATE item SET title = NULL WHERE id = 1")
    admin.execute("UPDATE item SET id = 22 WHERE id = 2")
    admin.execute("DELETE FROM item WHERE id = 1")
    assert columns_of(admin) == [
        {"id": "1", "title": "title"},
        {"id": "1", "title": None},
        {"id": "2", "title": "title"},
        {"id": "22", "title": "title"},
        {"id": "1", "title": None},
    ]
    admin.execute("TRUNCATE item")
    assert columns_of(admin) == [None]


def test_key_and_routing_are_noted_as_ever(item: Table, session: Session, admin: Connection) -> None:
    """Whatever is noted besides."""
    install(session, replace(item, routing="tenant"), columns=("title",))
    admin.execute("UPDATE item SET title = 'other' WHERE id = 1; DELETE FROM item WHERE id = 1")
    assert noted(admin) == [(["1"], "a"), (["1"], None), (["1"], "a")]


def test_every_change_of_a_table_without_watermark_is_noted(item: Table, session: Session, admin: Connection) -> None:
    """By bytes: an update that changes nothing is none. Twice only where a column that is noted has another value."""
    install(session, replace(item, watermark=None), columns=("tenant",))
    admin.execute("INSERT INTO item VALUES (6, 'c')")
    admin.execute("UPDATE item SET title = 'other' WHERE id = 1; UPDATE item SET title = title")
    admin.execute("DELETE FROM item WHERE id = 6")
    assert columns_of(admin) == [{"tenant": "c"}, {"tenant": "a"}, {"tenant": "c"}]
    admin.execute("UPDATE item SET tenant = NULL WHERE id = 1; UPDATE item SET id = 22 WHERE id = 2")
    assert columns_of(admin) == [{"tenant": "a"}, {"tenant": None}, {"tenant": "a"}, {"tenant": "a"}]


def test_a_table_of_which_every_change_is_noted_may_be_altered(
    item: Table, session: Session, admin: Connection
) -> None:
    """Columns that are not noted come, go and change their type; what changes in a new one is noted."""
    install(session, replace(item, watermark=None), columns=("id",))
    admin.execute("ALTER TABLE item ALTER title TYPE varchar(20), DROP COLUMN tenant, ADD COLUMN more integer")
    columns_of(admin)
    admin.execute("UPDATE item SET more = 1 WHERE id = 1; UPDATE item SET title = 'other' WHERE id = 1")
    assert columns_of(admin) == [{"id": "1"}] * 2


@pytest.mark.parametrize("role", ["replica", "origin"])
def test_every_change_of_partitions_is_noted(admin: Connection, session: Session, read: ReadTable, role: str) -> None:
    """Of one whose columns stand in another order too, and by logical replication."""
    admin.execute(PARTITIONED)
    table = replace(read(), watermark=None)
    install(session, table, columns=("id",))
    admin.execute(
        "CREATE TABLE attached (updated_at timestamptz, id bigint NOT NULL);"
        "ALTER TABLE item ATTACH PARTITION attached DEFAULT"
    )
    admin.execute(f"SET session_replication_role = {role}")
    admin.execute("INSERT INTO item VALUES (99)")
    admin.execute("UPDATE item SET updated_at = '2000-01-01' WHERE id IN (1, 99)")
    assert columns_of(admin) == [{"id": "99"}, {"id": "1"}, {"id": "99"}]


def test_generated_columns_are_no_obstacle(admin: Connection, session: Session, read: ReadTable) -> None:
    """Where Postgres has virtual ones, these too."""
    kind = "VIRTUAL" if session_version(admin) >= 18 else "STORED"
    admin.execute(
        f"CREATE TABLE item (id integer PRIMARY KEY, n integer, m integer GENERATED ALWAYS AS (n + 1) {kind})"
    )
    install(session, read(watermark=None), columns=("id",))
    admin.execute("INSERT INTO item VALUES (1, 1); UPDATE item SET n = 2; UPDATE item SET n = 2; DELETE FROM item")
    assert columns_of(admin) == [{"id": "1"}] * 3


def session_version(admin: Connection) -> int:
    return admin.info.server_version // 10000


def test_a_table_that_has_a_watermark_by_now_is_noted_less(item: Table, session: Session, admin: Connection) -> None:
    """Another installation leaves nothing of the first, and until then it is told."""
    install(session, replace(item, watermark=None), columns=("id",))
    assert facts(session, replace(item, watermark=None), columns=("id",)).current
    assert not facts(session, item, columns=("id",)).current
    install(session, item, columns=("id",))
    assert facts(session, item, columns=("id",)).current
    admin.execute("INSERT INTO item VALUES (6); UPDATE item SET title = 'other'")
    assert columns_of(admin) == []


def test_other_columns_are_another_installation(item: Table, session: Session) -> None:
    """And with none, the triggers are those of a table that stands alone."""
    assert facts(session, item).current
    assert not facts(session, item, columns=("tenant",)).current
    install(session, item, columns=("tenant",))
    assert facts(session, item, columns=["tenant"]).current
    assert not facts(session, item, columns=("tenant", "title")).current
    assert not facts(session, item).current


def test_tombstones_of_an_earlier_version_get_the_column(item: Table, session: Session, admin: Connection) -> None:
    """Only where it is needed: they may be somebody else's, who alone may add it."""
    admin.execute("DELETE FROM item WHERE id = 1; ALTER TABLE syncer.tombstones DROP COLUMN columns")
    install(session, item)
    install(session, item, columns=("tenant",))
    install(session, item, columns=("tenant",))
    admin.execute("DELETE FROM item WHERE id = 2")
    assert columns_of(admin) == [None, {"tenant": "a"}]


def test_texts_of_columns_are_alike_in_every_session(admin: Connection, session: Session, read: ReadTable) -> None:
    """As those of keys are."""
    admin.execute("CREATE TABLE item (id integer PRIMARY KEY, day date, updated_at timestamptz)")
    admin.execute("INSERT INTO item VALUES (1, '2026-02-01')")
    install(session, read(), columns=("day",))
    admin.execute("SET DateStyle = 'SQL, DMY'; DELETE FROM item")
    assert columns_of(admin) == [{"day": "2026-02-01"}]


def test_names_of_columns_are_quoted(admin: Connection, session: Session, read: ReadTable) -> None:
    """Whatever is in them."""
    name: Any = """O'r{d}e"r, %s"""
    admin.execute(
        "CREATE TABLE item (id integer PRIMARY KEY, updated_at timestamptz, {} integer)".format(
            '"' + name.replace('"', '""') + '"'
        )
    )
    admin.execute("INSERT INTO item VALUES (1, now(), 7)")
    install(session, read(), columns=(name,))
    admin.execute("DELETE FROM item")
    assert columns_of(admin) == [{name: "7"}]


def test_three_triggers_whatever_they_note(item: Table) -> None:
    """So that one installation takes the place of another."""
    assert TombstoneTriggers(replace(item, watermark=None), SCHEMA, ("id",)).names == (
        TombstoneTriggers(item, SCHEMA).names
    )
