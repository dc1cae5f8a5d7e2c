"""The triggers that tell of each commit which changes a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile

import psycopg
import pytest

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.installation import installation, removal
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.wakeup_triggers import CHANNEL
from syncer.core.noted_table import NotedTable
from syncer.core.table import Table
from tests.adapters.postgres.conftest import ReadTable, url_of
from tests.adapters.postgres.noting import ITEM, PARTITIONED, SCHEMA, Connection, facts, install_all

Change = Callable[[str], list[str]]


@pytest.fixture(name="change")
def _change(postgres_url: str, admin: Connection) -> Change:
    """Runs statements as they are, and returns what was notified by them."""
    admin.execute(f"LISTEN {CHANNEL}".encode())

    def change(statement: str) -> list[str]:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(statement.encode())
        # The last in the queue.
        admin.execute(f"NOTIFY {CHANNEL}, 'end'".encode())
        return [each.payload for each in takewhile(lambda each: each.payload != "end", admin.notifies())]

    return change


def take_away(session: Session, table: Table) -> None:
    noted, around = NotedTable(table, frozenset(), wakes=True), facts(session, table).around
    removal(noted, SCHEMA, around).run(session, AdvisoryLock.on(SCHEMA), denied="ask the owner")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO item VALUES (7)",
        "UPDATE item SET title = 'new'",
        "DELETE FROM item WHERE id = 1",
        "TRUNCATE item",
        "BEGIN; INSERT INTO item VALUES (7), (8); DELETE FROM item WHERE id = 1; COMMIT",
        "SET session_replication_role = replica; INSERT INTO item VALUES (7)",
    ],
)
def test_a_commit_is_told_once(item: Table, session: Session, change: Change, statement: str) -> None:
    """However much of the table it changes."""
    install_all(session, item)
    assert change(statement) == ["public.item"]


def test_what_is_rolled_back_is_not_told(item: Table, session: Session, change: Change) -> None:
    """Nor is what happens to other tables."""
    install_all(session, item)
    assert change("BEGIN; DELETE FROM item; ROLLBACK") == []
    assert change("CREATE TABLE other (id bigint); INSERT INTO other VALUES (1)") == []


@pytest.mark.parametrize("relation", ["item", "low", "high", "higher"])
def test_partitions_tell_by_the_name_of_their_root(
    partitioned: Table, session: Session, change: Change, relation: str
) -> None:
    """Whichever of them a statement names."""
    install_all(session, partitioned)
    assert change(f"UPDATE {relation} SET updated_at = now()") == ["public.item"]
    assert change(f"TRUNCATE {relation}") == ["public.item"]


def test_it_may_be_installed_again_and_goes_when_nobody_asks_for_it(
    item: Table, session: Session, change: Change
) -> None:
    """The tombstones stay."""
    assert facts(session, item).silent == ["public.item"]
    for _ in range(2):
        install_all(session, item)
        assert facts(session, item).silent == []
    install_all(session, item, wakes=False)
    found = facts(session, item)
    assert (found.silent, found.around.wakes, found.missing) == (["public.item"], False, {})
    assert change("INSERT INTO item VALUES (7)") == []


def test_the_schema_goes_with_the_last_trigger(admin: Connection, session: Session, read: ReadTable) -> None:
    """Both sets of triggers are removed."""
    admin.execute(ITEM)
    install_all(session, read())
    take_away(session, read())
    assert facts(session, read()).around.has_schema is False
    assert admin.execute("SELECT FROM pg_trigger WHERE NOT tgisinternal").fetchall() == []


def test_before_version_14(item: Table, session: Session, admin: Connection, change: Change) -> None:
    """Without CREATE OR REPLACE TRIGGER."""
    around = replace(facts(session, item).around, major=13)
    text = str(installation(NotedTable(item, frozenset(), wakes=True), SCHEMA, around))
    assert "OR REPLACE TRIGGER" not in text
    for _ in range(2):
        admin.execute(text.encode())
    assert change("DELETE FROM item WHERE id = 1") == ["public.item"]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER wakeup_syncer ON low",
        "ALTER TABLE low DISABLE TRIGGER wakeup_syncer",
        "ALTER TABLE low ENABLE TRIGGER wakeup_syncer",
        "DROP TABLE low; CREATE TABLE low PARTITION OF item FOR VALUES FROM (0) TO (10)",
    ],
)
def test_what_is_silent_is_known(admin: Connection, session: Session, read: ReadTable, statement: str) -> None:
    """A partition without the trigger, or with one that does not always fire."""
    admin.execute(PARTITIONED)
    install_all(session, read())
    admin.execute(statement.encode())
    assert facts(session, read()).silent == ["public.low"]


def test_another_version_of_the_function_is_not_taken_for_this_one(
    item: Table, session: Session, admin: Connection
) -> None:
    """Until it is installed again."""
    install_all(session, item)
    [(name,)] = admin.execute("SELECT proname FROM pg_proc WHERE proname ~ '^wakeup'").fetchall()
    body = "BEGIN RETURN NULL; END"
    admin.execute(f"CREATE OR REPLACE FUNCTION syncer.{name}() RETURNS trigger LANGUAGE plpgsql AS '{body}'".encode())
    assert facts(session, item).silent == ["public.item"]
    install_all(session, item)
    assert facts(session, item).silent == []


def test_whoever_writes_needs_no_privilege(
    item: Table, session: Session, postgres_url: str, admin: Connection, role: str, change: Change
) -> None:
    """Nor does who owns the function: neither has the right to pg_notify(), without which no write would succeed."""
    install_all(session, item)
    [(name,)] = admin.execute("SELECT proname FROM pg_proc WHERE proname ~ '^wakeup'").fetchall()
    admin.execute(f'ALTER FUNCTION syncer.{name}() OWNER TO "{role}"'.encode())
    admin.execute("REVOKE EXECUTE ON FUNCTION pg_notify(text, text) FROM PUBLIC")
    admin.execute(f'GRANT INSERT ON item TO "{role}"'.encode())
    with psycopg.connect(url_of(postgres_url, role), autocommit=True) as connection:
        connection.execute("INSERT INTO item VALUES (7)")
    # The role goes before the tables.
    admin.execute(f"ALTER FUNCTION syncer.{name}() OWNER TO CURRENT_USER".encode())
    assert change("") == ["public.item"]


def test_a_table_may_have_any_name(session: Session, admin: Connection, read: ReadTable, change: Change) -> None:
    """It stands in the function as text."""
    admin.execute("""CREATE TABLE "o'clock %s {x} $body$" (id bigint PRIMARY KEY, updated_at timestamptz)""")
    table = read(name='''"o'clock %s {x} $body$"''')
    install_all(session, table)
    assert facts(session, table).silent == []
    assert change("""INSERT INTO "o'clock %s {x} $body$" VALUES (1)""") == [str(table)]
