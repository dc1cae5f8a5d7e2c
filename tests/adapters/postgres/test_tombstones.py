"""The feed of tombstones on Postgres: privileges, what comes and goes beneath it, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.tombstones import PostgresTombstones
from syncer.core.change import Change
from syncer.core.error import AccessDenied
from syncer.core.key import Key
from syncer.core.position import START, Position
from syncer.core.table import Table
from tests.adapters.postgres.conftest import OpenSession, ReadTable
from tests.adapters.postgres.noting import SCHEMA, Connection, facts, install, remove
from tests.adapters.postgres.waiting import scans, wait_until_gone

LATER = datetime(2999, 1, 1, tzinfo=UTC)


def read_from(session: Session, table: Table) -> list[Key]:
    return [change.key for change in PostgresTombstones(session, table, SCHEMA).read(START, LATER, 100).changes]


def test_triggers_that_come_and_go(item: Table, session: Session, admin: Connection) -> None:
    """While it is read: nothing is an error, and what is noted later is read."""
    feed = PostgresTombstones(session, item, SCHEMA)
    for id_ in (1, 2):
        remove(session, item)
        assert feed.read(START, LATER, 10).changes == ()
        assert feed.prune(LATER, 10) == 0
        install(session, item)
        admin.execute(f"DELETE FROM item WHERE id = {id_}")
        assert [change.key for change in feed.read(START, LATER, 10).changes] == [(str(id_),)]


def test_a_missing_table_costs_the_server_one_error(item: Table, session: Session, admin: Connection) -> None:
    """A statement that fails at every poll would fill its log."""
    feed = PostgresTombstones(session, item, SCHEMA)
    feed.read(START, LATER, 10)
    remove(session, item)
    before = failed(admin)
    for _ in range(3):
        assert feed.read(START, LATER, 10).changes == ()
    session.close()
    wait_until_gone(admin)
    assert failed(admin) - before == 1


def failed(admin: Connection) -> int:
    found = admin.execute("SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert found
    return int(found[0])


def test_a_role_without_privilege(item: Table, admin: Connection, open_session: OpenSession, role: str) -> None:
    """To read is an error with the GRANT that mends it; to prune is left to others, and the facts tell it."""
    session = open_session(role)
    feed = PostgresTombstones(session, item, SCHEMA)
    admin.execute("DELETE FROM item WHERE id = 1")
    assert not facts(session, item).readable
    assert feed.prune(LATER, 10) == 0
    with pytest.raises(AccessDenied, match="may not read") as denied:
        feed.read(START, LATER, 10)
    grants = denied.value.hint.splitlines()
    assert role in grants[0]
    admin.execute(grants[0].encode())
    admin.execute(f'GRANT SELECT ON syncer.tombstones TO "{role}"')
    assert [change.key for change in feed.read(START, LATER, 10).changes] == [("1",)]
    assert feed.prune(LATER, 10) == 0
    found = facts(session, item)
    assert (found.readable, found.prunable) == (True, False)
    admin.execute(grants[1].encode())
    assert facts(session, item).prunable
    assert feed.prune(LATER, 10) == 1


def test_tombstones_of_others_need_no_privilege(
    item: Table, admin: Connection, open_session: OpenSession, read: ReadTable, role: str
) -> None:
    """Triggers on one table do not stop the pipeline of another, whose role may not read what they note."""
    admin.execute("CREATE TABLE other (LIKE item INCLUDING ALL)")
    assert read_from(open_session(role), read("other")) == []


def test_only_its_own_table(item: Table, session: Session, admin: Connection, read: ReadTable) -> None:
    """Tables share the tombstones; reading and pruning keep to one."""
    admin.execute("CREATE TABLE other (LIKE item INCLUDING ALL); INSERT INTO other VALUES (7)")
    install(session, read("other"))
    admin.execute("DELETE FROM other; DELETE FROM item WHERE id = 1")
    assert read_from(session, item) == [("1",)]
    assert PostgresTombstones(session, item, SCHEMA).prune(LATER, 10) == 1
    assert read_from(session, read("other")) == [("7",)]


def test_keys_are_as_the_table_writes_them(item: Table, session: Session, admin: Connection, read: ReadTable) -> None:
    """Whatever the type was when they were noted; one that is no key any more delays no other."""
    admin.execute("DELETE FROM item WHERE id IN (1, 2)")
    admin.execute(
        "INSERT INTO syncer.tombstones (relation, key) VALUES ('public.item', '{007}'), ('public.item', '{seven}'),"
        "('public.item', '{NULL}'), ('public.item', '{1, 2}'),"
        "('public.item', '{99999999999999999999}'), ('public.item', '{3}')"
    )
    feed = PostgresTombstones(session, item, SCHEMA)
    found: list[Key] = []
    position: Position | None = START
    while position is not None:
        page = feed.read(position, LATER, 2)
        found += [change.key for change in page.changes]
        position = page.next
    assert found == [("1",), ("2",), ("7",), ("3",)]
    remove(session, item)
    admin.execute("ALTER TABLE item ALTER id TYPE numeric(6, 2)")
    install(session, read())
    admin.execute("DELETE FROM item WHERE id = 4")
    assert read_from(session, read()) == [("4.00",)]


def test_keys_of_dates_and_of_several_columns(session: Session, admin: Connection, read: ReadTable) -> None:
    """The text is that of a row of the table, which the reading session pins."""
    admin.execute(
        "CREATE TABLE item (at timestamptz, span interval, name text, updated_at timestamptz, "
        "PRIMARY KEY (at, span, name))"
    )
    admin.execute("INSERT INTO item VALUES ('2026-02-01 12:00Z', '1 day 02:00', 'a|b')")
    install(session, read())
    admin.execute("SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, DMY'; DELETE FROM item")
    assert read_from(session, read()) == [("2026-02-01 12:00:00+00", "P1DT2H", "a|b")]


def test_routing_is_the_pipeline_s_affair(item: Table, session: Session, admin: Connection) -> None:
    """What an earlier configuration noted of it means nothing to one without."""
    install(session, replace(item, routing="tenant"))
    admin.execute("DELETE FROM item WHERE id = 1")
    [with_it] = PostgresTombstones(session, replace(item, routing="tenant"), SCHEMA).read(START, LATER, 10).changes
    [without] = PostgresTombstones(session, item, SCHEMA).read(START, LATER, 10).changes
    assert (with_it.routing, without.routing) == ("a", None)
    assert without == Change(("1",), with_it.watermark, "", with_it.row)


def test_pruning_leaves_the_session_read_only(item: Table, session: Session, admin: Connection) -> None:
    """As every session on the source is."""
    admin.execute("DELETE FROM item")
    assert PostgresTombstones(session, item, SCHEMA).prune(LATER, 3) == 3
    with session.use() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.connection.cursor().execute("DELETE FROM item")


def test_a_page_is_an_index_range(item: Table, session: Session, admin: Connection) -> None:
    """Among 200,000 of this and other tables, whether it is read from the start or from within."""
    admin.execute(
        "INSERT INTO syncer.tombstones (at, relation, key) SELECT timestamptz '2026-01-01Z' + i * interval '1 s',"
        " 'public.' || (ARRAY['item', 'other'])[i % 2 + 1], ARRAY[i::text] FROM generate_series(1, 200000) AS i"
    )
    admin.execute("VACUUM ANALYZE syncer.tombstones")
    session.close()
    wait_until_gone(admin)
    before = scans(admin)
    feed = PostgresTombstones(session, item, SCHEMA)
    page = feed.read(START, LATER, 1000)
    assert len(page.changes) == 1000
    assert page.next is not None
    feed.read(page.next, LATER, 1000)
    assert feed.prune(page.next.watermark, 100) == 100
    session.close()
    wait_until_gone(admin)
    after = scans(admin)
    assert after[0] == before[0]
    assert after[1] - before[1] < 2500
