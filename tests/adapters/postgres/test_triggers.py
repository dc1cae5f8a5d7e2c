"""The triggers that note what is gone: whoever deletes, and however."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.triggers import TombstoneTriggers
from syncer.core.table import Table
from tests.adapters.postgres.conftest import ReadTable, url_of
from tests.adapters.postgres.noting import ITEM, SCHEMA, TRUNCATED, Connection, Noted, install, keys, noted, script
from tests.adapters.postgres.waiting import wait_for


def test_deletes_key_changes_and_truncate_are_noted(item: Table, admin: Connection) -> None:
    """Of a changed key both; an insert and any other update leave nothing."""
    admin.execute("INSERT INTO item VALUES (6), (7)")
    admin.execute("UPDATE item SET title = 'other', tenant = 'b', id = id")
    admin.execute("INSERT INTO item VALUES (6) ON CONFLICT (id) DO UPDATE SET title = 'again'")
    assert noted(admin) == []
    admin.execute("DELETE FROM item WHERE id IN (1, 2)")
    admin.execute("UPDATE item SET id = 33 WHERE id = 3")
    admin.execute("TRUNCATE item")
    assert noted(admin) == [*keys(1, 2, 3, 33), TRUNCATED]


def test_a_key_that_a_trigger_changes_is_noted(item: Table, admin: Connection) -> None:
    """Though the statement does not name its column."""
    admin.execute(
        "CREATE FUNCTION shift() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := NEW.id + 100; RETURN NEW; END';"
        "CREATE TRIGGER shift BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION shift()"
    )
    admin.execute("UPDATE item SET title = 'x' WHERE id = 1")
    assert noted(admin) == keys(1, 101)


def test_the_old_routing_is_noted(item: Table, session: Session, admin: Connection) -> None:
    """Of a deleted row and of one that is routed anew; empty where the column was NULL: the id led to its shard."""
    install(session, replace(item, routing="tenant"))
    admin.execute("UPDATE item SET tenant = 'b' WHERE id = 1")
    admin.execute("UPDATE item SET tenant = NULL WHERE id = 1")
    admin.execute("UPDATE item SET title = 'other' WHERE id = 1")
    admin.execute("DELETE FROM item WHERE id = 1")
    gone: Noted = (["1"], "")
    assert noted(admin) == [(["1"], "a"), (["1"], None), (["1"], "b"), (["1"], None), gone]


def test_a_tombstone_is_stamped_by_the_clock(item: Table, postgres_url: str, admin: Connection) -> None:
    """† Not by the transaction: its start may lie before the transaction shows among the open ones."""
    with psycopg.connect(postgres_url) as writer:
        writer.execute("SELECT pg_sleep(0.05)")
        writer.execute("DELETE FROM item WHERE id = 1")
        found = writer.execute("SELECT at - now() > interval '0.04 s' FROM syncer.tombstones").fetchone()
    assert found == (True,)


def test_a_delete_that_is_rolled_back_is_not_noted(item: Table, postgres_url: str, admin: Connection) -> None:
    """To a savepoint too."""
    with psycopg.connect(postgres_url) as writer:
        writer.execute("DELETE FROM item WHERE id = 1")
        writer.execute("SAVEPOINT here")
        writer.execute("DELETE FROM item WHERE id = 2")
        writer.execute("ROLLBACK TO SAVEPOINT here")
    assert noted(admin) == keys(1)


def test_cascades_are_noted(admin: Connection, session: Session, read: ReadTable) -> None:
    """What a foreign key deletes or renames."""
    admin.execute("CREATE TABLE parent (id integer PRIMARY KEY); INSERT INTO parent VALUES (1), (2)")
    admin.execute(
        "CREATE TABLE item (parent integer REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, n integer,"
        " updated_at timestamptz, PRIMARY KEY (parent, n)); INSERT INTO item VALUES (1, 1), (1, 2), (2, 1)"
    )
    install(session, read())
    admin.execute("DELETE FROM parent WHERE id = 1")
    admin.execute("UPDATE parent SET id = 3 WHERE id = 2")
    assert noted(admin) == [(["1", "1"], None), (["1", "2"], None), (["2", "1"], None), (["3", "1"], None)]


def test_bulk_deletes_are_noted_row_by_row(item: Table, admin: Connection) -> None:
    """Ten thousand at once, after a COPY that leaves nothing."""
    with admin.cursor().copy("COPY item (id) FROM STDIN") as copy:
        for id_ in range(10, 10_010):
            copy.write_row((id_,))
    admin.execute("DELETE FROM item WHERE id >= 10")
    assert len({tuple(key or ()) for key, _ in noted(admin)}) == 10_000


@pytest.mark.parametrize("replication_role", ["replica", "local"])
def test_deletes_under_any_replication_role_are_noted(
    partitioned: Table, admin: Connection, replication_role: str
) -> None:
    """† On partitions too, also on those that were added later."""
    admin.execute("CREATE TABLE highest PARTITION OF item FOR VALUES FROM (30) TO (40)")
    admin.execute("CREATE TABLE attached (LIKE item); ALTER TABLE item ATTACH PARTITION attached DEFAULT")
    admin.execute("INSERT INTO item VALUES (31), (99)")
    admin.execute(f"SET session_replication_role = {replication_role}")
    admin.execute("DELETE FROM item WHERE id IN (1, 11, 31, 99)")
    assert sorted(noted(admin), key=str) == sorted(keys(1, 11, 31, 99), key=str)
    admin.execute("UPDATE low SET id = 3 WHERE id = 2")
    admin.execute("TRUNCATE higher")
    assert noted(admin) == [*keys(2, 3), TRUNCATED]


def test_partitions(partitioned: Table, admin: Connection) -> None:
    """† The root, a partition or one of its partitions may be named; all is noted under the root's name."""
    admin.execute("DELETE FROM item WHERE id = 1")
    admin.execute("DELETE FROM higher WHERE id = 11")
    admin.execute("UPDATE item SET id = 13 WHERE id = 2")
    assert noted(admin) == keys(1, 11, 2)
    for table in ("low", "high", "higher"):
        admin.execute(f"TRUNCATE {table}")
        assert set(map(str, noted(admin))) == {str(TRUNCATED)}, table
    admin.execute("TRUNCATE item")
    assert set(map(str, noted(admin))) == {str(TRUNCATED)}


def test_a_writer_needs_no_privilege_on_the_tombstones(
    item: Table, admin: Connection, role: str, postgres_url: str
) -> None:
    """Nor does it get one: it can neither read nor forge them."""
    admin.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON item TO "{role}"')
    with psycopg.connect(url_of(postgres_url, role), autocommit=True) as writer:
        writer.execute("DELETE FROM item WHERE id = 1")
        writer.execute("UPDATE item SET id = 22 WHERE id = 2")
        writer.execute("TRUNCATE item")
        for statement in ("SELECT FROM syncer.tombstones", "INSERT INTO syncer.tombstones (relation) VALUES ('x')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                writer.execute(statement)
    assert noted(admin) == [*keys(1, 2, 22), TRUNCATED]


def test_nobody_else_can_use_the_function(item: Table, admin: Connection, role: str, postgres_url: str) -> None:
    """A trigger on a table of their own would forge tombstones."""
    admin.execute(f'GRANT USAGE ON SCHEMA syncer TO "{role}"')
    function = f'syncer."{TombstoneTriggers(item, SCHEMA).function}"'
    with psycopg.connect(url_of(postgres_url, role), autocommit=True) as other:
        other.execute("CREATE TEMP TABLE mine (id bigint)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            other.execute(f"CREATE TRIGGER t AFTER DELETE ON mine FOR EACH ROW EXECUTE FUNCTION {function}('x')")


def test_a_search_path_does_not_lead_the_function_astray(
    item: Table, admin: Connection, role: str, postgres_url: str
) -> None:
    """† It runs with its owner's privileges: no function, operator, type or table of the writer's is used in it."""
    admin.execute(f'GRANT SELECT, DELETE ON item TO "{role}"; CREATE SCHEMA trap AUTHORIZATION "{role}"')
    with psycopg.connect(url_of(postgres_url, role), autocommit=True) as writer:
        writer.execute(
            """
            CREATE FUNCTION trap.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS
              $$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$;
            CREATE FUNCTION trap.coalesce(text, text) RETURNS text LANGUAGE plpgsql AS
              $$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$;
            CREATE DOMAIN trap.text AS pg_catalog.text CHECK (false);
            CREATE TEMP TABLE tombstones (relation pg_catalog.text, key pg_catalog.text[], routing pg_catalog.text);
            SET search_path = trap, pg_temp, pg_catalog
            """
        )
        writer.execute("DELETE FROM public.item WHERE id = 1")
        assert writer.execute("SELECT count(*) FROM pg_temp.tombstones").fetchone() == (0,)
    assert noted(admin) == keys(1)


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        ("timestamptz", "2026-02-01 12:00Z", "2026-02-01 12:00:00+00"),
        ("date", "2026-02-01", "2026-02-01"),
        ("interval", "1 day", "P1D"),
        ("double precision", "0.30000000000000004", "0.30000000000000004"),
        ("bytea", r"\x00ff", r"\x00ff"),
        ("tstzrange", "[2026-02-01 12:00Z,)", '["2026-02-01 12:00:00+00",)'),
    ],
)
def test_a_key_is_written_alike_in_every_session(
    admin: Connection, session: Session, read: ReadTable, type_: str, value: str, text: str
) -> None:
    """† 01/02/2026 is in another session another day."""
    admin.execute(f"CREATE TABLE item (id {type_} PRIMARY KEY, updated_at timestamptz)")
    admin.execute("INSERT INTO item VALUES (%s)", (value,))
    install(session, read())
    admin.execute(
        "SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = sql_standard;"
        "SET extra_float_digits = -5; SET bytea_output = 'escape'"
    )
    admin.execute("DELETE FROM item")
    assert noted(admin) == [([text], None)]


def test_plain_keys_cost_no_settings(item: Table, admin: Connection) -> None:
    """But the search_path."""
    found = admin.execute("SELECT proconfig FROM pg_proc WHERE prosecdef").fetchall()
    assert found == [(["search_path=pg_catalog, pg_temp"],)]


@pytest.mark.parametrize(
    ("type_", "old", "new"),
    [
        ("numeric", "1.0", "1.00"),
        ("interval", "P1D", "PT24H"),
        ("double precision", "0", "-0"),
    ],
)
def test_equal_keys_that_are_written_differently_are_two_documents(
    admin: Connection, session: Session, read: ReadTable, type_: str, old: str, new: str
) -> None:
    """1.0 and 1.00 are equal to Postgres, which so takes nothing for changed."""
    admin.execute(f"CREATE TABLE item (id {type_} PRIMARY KEY, updated_at timestamptz)")
    admin.execute("INSERT INTO item VALUES (%s)", (old,))
    assert admin.execute("SELECT FROM item WHERE id = %s", (new,)).rowcount == 1
    install(session, read())
    admin.execute("UPDATE item SET id = id")
    assert noted(admin) == []
    admin.execute("UPDATE item SET id = %s", (new,))
    assert noted(admin) == keys(old, new)


def test_texts_are_compared_by_bytes(admin: Connection, session: Session, read: ReadTable) -> None:
    """Whatever their collation takes for equal."""
    admin.execute("CREATE TABLE item (id text PRIMARY KEY, updated_at timestamptz)")
    assert 'OLD."id" COLLATE "C" IS DISTINCT FROM NEW."id" COLLATE "C"' in script(session, read())


@pytest.mark.parametrize(
    ("type_", "old", "new"),
    [("uuid", f"{'0' * 8}-0000-0000-0000-{'0' * 12}", f"{'0' * 8}-0000-0000-0000-{'1' * 12}"), ("mood", "sad", "glad")]
    + [(type_, "1", "2") for type_ in ("smallint", "oid", "varchar(5)", "char(1)", "name", "size", "jsonb")],
)
def test_keys_of_other_types(
    admin: Connection, session: Session, read: ReadTable, type_: str, old: str, new: str
) -> None:
    """Enumerations and domains too; what does not change is not noted."""
    admin.execute("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN size AS integer")
    admin.execute(f"CREATE TABLE item (id {type_} PRIMARY KEY, updated_at timestamptz)")
    admin.execute("INSERT INTO item VALUES (%s)", (old,))
    install(session, read())
    admin.execute("UPDATE item SET id = id")
    admin.execute("UPDATE item SET id = %s", (new,))
    assert noted(admin) == keys(old, new)


@pytest.fixture(name="subscriber")
def _subscriber(admin: Connection, item: Table, postgres_url: str) -> Iterator[Connection]:
    """The publisher of `item`'s rows: another database of the same server, to which `item` is subscribed."""
    name = f"{admin.info.dbname}_publisher"
    admin.execute(f"CREATE DATABASE {name}")
    url = postgres_url.replace(admin.info.dbname, name)
    with psycopg.connect(url, autocommit=True) as publisher:
        publisher.execute(ITEM)
        publisher.execute("CREATE PUBLICATION items FOR TABLE item")
        # Made by the subscription itself, it would wait for the end of the very transaction that makes it.
        publisher.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
        admin.execute("TRUNCATE item")
        noted(admin)
        admin.execute(
            f"CREATE SUBSCRIPTION {name} CONNECTION '{url}' PUBLICATION items "
            f"WITH (create_slot = false, slot_name = '{name}')"
        )
        yield publisher
        admin.execute(f"ALTER SUBSCRIPTION {name} DISABLE; ALTER SUBSCRIPTION {name} SET (slot_name = NONE)")
        admin.execute(f"DROP SUBSCRIPTION {name}")
        wait_for(lambda: publisher.execute("SELECT 1 FROM pg_replication_slots WHERE NOT active").fetchone())
        publisher.execute("SELECT pg_drop_replication_slot(%s)", (name,))
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_what_a_subscription_deletes_is_noted(subscriber: Connection, admin: Connection) -> None:
    """† By its apply worker, for which ordinary triggers do not fire."""
    wait_for(lambda: admin.execute("SELECT 1 FROM item HAVING count(*) = 5").fetchone())
    subscriber.execute("DELETE FROM item WHERE id = 1")
    subscriber.execute("UPDATE item SET id = 22 WHERE id = 2")
    subscriber.execute("TRUNCATE item")
    wait_for(lambda: admin.execute("SELECT 1 FROM syncer.tombstones HAVING count(*) = 4").fetchone())
    assert noted(admin) == [*keys(1, 2, 22), TRUNCATED]
