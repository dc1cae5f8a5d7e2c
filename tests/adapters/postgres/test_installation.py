"""Installing triggers and removing them: names, privileges, locks, and what is told of those that are there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from syncer.adapters.postgres.migrate import migrate
from syncer.adapters.postgres.remedy import grant_noting
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.adapters.postgres.triggers import TombstoneTriggers
from syncer.core.error import AccessDenied, SourceUnavailable
from syncer.core.table import Column, Table
from tests.adapters.postgres.conftest import OpenSession, ReadTable, url_of
from tests.adapters.postgres.noting import (
    ITEM,
    PARTITIONED,
    SCHEMA,
    UNTOLD,
    Connection,
    facts,
    install,
    install_noting,
    keys,
    noted,
    remove,
    script,
)
from tests.adapters.postgres.waiting import wait_for
from tests.services.postgres import PostgresServer, create_database, drop_database


def test_names_are_quoted(admin: Connection, session: Session, read: ReadTable) -> None:
    """Mixed case, reserved words, quotes, percent signs, dollar tags, line breaks, in any schema."""
    schema, name, tenant = 'My "Shop"', "Order's $body$ %\n-- DROP", "Te:nant%%s"
    names = [sql.Identifier(schema), sql.Identifier(schema, name), sql.Identifier(tenant)]
    admin.execute(
        sql.SQL(
            'CREATE SCHEMA {0}; CREATE TABLE {1} ("select" integer, {2} text, "user" text, updated_at timestamptz,'
            ' PRIMARY KEY ("select", {2}))'
        ).format(*names)
    )
    table = read(f"{schema}.{name}", routing="user")
    for _ in range(2):
        install(session, table)
    admin.execute(sql.SQL("INSERT INTO {1} VALUES (1, 'x', 'u'); DELETE FROM {1}").format(*names))
    assert noted(admin, f"{schema}.{name}") == [(["1", "x"], "u")]
    assert facts(session, table).current
    remove(session, table)
    admin.execute(sql.SQL("DROP TABLE {1}").format(*names))


def test_long_names(admin: Connection, session: Session, read: ReadTable) -> None:
    """A table's name may be as long as Postgres allows; another schema may hold a table of the same name."""
    name = "ü" * 31
    for schema in ("one", "two"):
        admin.execute(
            f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.{name} (id int PRIMARY KEY, updated_at timestamptz)"
        )
    for schema in ("one", "two"):
        install(session, read(f"{schema}.{name}"))
        admin.execute(f"INSERT INTO {schema}.{name} VALUES (1); DELETE FROM {schema}.{name}")
        assert noted(admin, f"{schema}.{name}") == keys(1)


def test_another_installation_replaces_the_first(item: Table, session: Session, admin: Connection) -> None:
    """The same leaves it as it was; another key or routing takes its place, on the same triggers."""
    one = admin.execute("SELECT tgname, tgenabled FROM pg_trigger ORDER BY tgname").fetchall()
    install(session, item)
    assert facts(session, item).current
    other = replace(item, key=("id", "title"))
    assert not facts(session, other).current
    install(session, other)
    assert facts(session, other).current
    admin.execute("UPDATE item SET title = 'new' WHERE id = 1")
    assert noted(admin) == [(["1", "title"], None), (["1", "new"], None)]
    assert admin.execute("SELECT tgname, tgenabled FROM pg_trigger ORDER BY tgname").fetchall() == one


def test_before_version_14(item: Table, session: Session, admin: Connection) -> None:
    """Without CREATE OR REPLACE TRIGGER."""
    around = replace(facts(session, item).around, major=13)
    text = str(TombstoneTriggers(item, SCHEMA).install(around))
    assert "OR REPLACE TRIGGER" not in text
    admin.execute(text.encode())
    admin.execute("DELETE FROM item WHERE id = 1")
    assert noted(admin) == keys(1)


@pytest.mark.parametrize("change", ["id TYPE integer", "tenant TYPE varchar(9)"])
def test_a_type_changes_without_triggers_only(item: Table, session: Session, admin: Connection, change: str) -> None:
    """Of key and routing, as `docs/deletes.md` says: Postgres refuses it; removed and installed, they note again."""
    routed = replace(item, routing="tenant")
    install(session, routed)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="column used in a trigger definition"):
        admin.execute(f"ALTER TABLE item ALTER {change}".encode())
    remove(session, routed)
    admin.execute(f"ALTER TABLE item ALTER {change}".encode())
    install(session, routed)
    admin.execute("DELETE FROM item WHERE id = 1")
    assert noted(admin) == [(["1"], "a")]


def test_a_renamed_table_is_noted_under_its_old_name(
    item: Table, session: Session, admin: Connection, read: ReadTable
) -> None:
    """Until its triggers are installed under the new one."""
    admin.execute("ALTER TABLE item RENAME TO thing; DELETE FROM thing WHERE id = 1")
    assert noted(admin, "public.item") == keys(1)
    install(session, read("thing"))
    admin.execute("DELETE FROM thing WHERE id = 2")
    assert noted(admin, "public.thing") == keys(2)


def test_what_is_printed_is_what_runs(admin: Connection, session: Session, read: ReadTable) -> None:
    """As one script, in one transaction, that may be repeated: the second time it notes nothing."""
    admin.execute(PARTITIONED)
    for _ in range(2):
        admin.execute(script(session, read()).encode())
    assert facts(session, read()).current
    admin.execute("DELETE FROM item WHERE id = 1")
    assert noted(admin) == [UNTOLD, *keys(1)]


def test_triggers_that_note_more_than_before_ask_for_a_comparison(
    item: Table, session: Session, admin: Connection
) -> None:
    """What happened before was not noted: by other columns, insertions, or triggers that were disabled or removed. The
    same triggers again ask for none."""
    unstamped = replace(item, watermark=None)
    install_noting(session, item)
    assert noted(admin) == []
    for table, columns in ((item, ("title",)), (replace(item, routing="tenant"), ("title",)), (unstamped, ("title",))):
        for expected in ([UNTOLD], []):
            install_noting(session, table, columns=columns)
            assert noted(admin) == expected
    admin.execute("ALTER TABLE item DISABLE TRIGGER ALL; DELETE FROM item WHERE id = 1")
    install_noting(session, unstamped, columns=("title",))
    assert noted(admin) == [UNTOLD]
    remove(session, item)
    install_noting(session, unstamped, columns=("title",))
    assert noted(admin) == [UNTOLD]


def test_a_partition_that_could_be_truncated_unseen_asks_for_a_comparison(
    partitioned: Table, session: Session, admin: Connection
) -> None:
    """Once."""
    admin.execute("CREATE TABLE highest PARTITION OF item FOR VALUES FROM (30) TO (40); TRUNCATE highest")
    for expected in ([UNTOLD], []):
        install_noting(session, partitioned)
        assert noted(admin) == expected


def test_a_comparison_comes_after_what_the_installation_has_waited_for(
    admin: Connection, session: Session, read: ReadTable, postgres_url: str
) -> None:
    """By its stamp too."""
    admin.execute(ITEM)
    with psycopg.connect(postgres_url) as writer, ThreadPoolExecutor() as executor:
        writer.execute("DELETE FROM item WHERE id = 1")
        installed = executor.submit(install_noting, session, read())
        wait_for(lambda: admin.execute("SELECT FROM pg_locks WHERE NOT granted").fetchone() is not None)
        [(before,)] = writer.execute("SELECT clock_timestamp()").fetchall()
        writer.commit()
        installed.result()
    assert admin.execute("SELECT key, at > %s FROM syncer.tombstones", (before,)).fetchall() == [([], True)]


def test_the_script_is_for_people(item: Table, session: Session) -> None:
    """Every part says why; no line is longer than a screen."""
    text = script(session, item)
    assert max(map(len, text.splitlines())) <= 130
    assert text.count("\n-- ") >= 8


def test_the_scripts_own_text_is_ascii(partitioned: Table, session: Session) -> None:
    """A database of another encoding may lack any other character."""
    around = facts(session, partitioned).around
    triggers = TombstoneTriggers(replace(partitioned, routing="id"), SCHEMA)
    assert str(triggers.install(around)).isascii()
    assert str(triggers.install(replace(around, major=13, holds_state=True))).isascii()
    assert str(triggers.remove()).isascii()


@pytest.fixture(name="latin1_url")
def _latin1_url(postgres_server: PostgresServer) -> Iterator[str]:
    url = create_database(postgres_server, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    yield url
    drop_database(postgres_server, url)


def test_a_database_in_latin1(latin1_url: str) -> None:
    """Install, note and remove."""
    session = Session(latin1_url, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)
    table = Table("public", "item", {"id": Column("id", "text", "text")}, ("id",), "updated_at")
    with psycopg.connect(latin1_url, autocommit=True) as admin:
        admin.execute("CREATE TABLE item (id text PRIMARY KEY, updated_at timestamptz)")
        install(session, table)
        admin.execute("INSERT INTO item VALUES ('\u00fc'); DELETE FROM item")
        assert noted(admin) == keys("\u00fc")
        remove(session, table)
        assert admin.execute("SELECT to_regnamespace('syncer')").fetchone() == (None,)
    session.close()


def test_removal_leaves_nothing(admin: Connection, session: Session, read: ReadTable) -> None:
    """No trigger, function, table or schema; not on a detached partition either. Repeated, it does nothing."""
    before = objects(admin)
    admin.execute(PARTITIONED)
    tables = objects(admin)
    install(session, read())
    admin.execute("ALTER TABLE item DETACH PARTITION low")
    for _ in range(2):
        remove(session, read())
        assert objects(admin) == tables
    admin.execute("DROP TABLE item, low")
    assert objects(admin) == before


def objects(admin: Connection) -> set[str]:
    found = admin.execute(
        "SELECT 'trigger ' || tgname || tgrelid::regclass FROM pg_trigger UNION ALL "
        "SELECT 'function ' || proname FROM pg_proc WHERE pronamespace <> 'pg_catalog'::regnamespace UNION ALL "
        "SELECT 'relation ' || relname FROM pg_class WHERE oid > 16000 UNION ALL SELECT 'schema ' || nspname "
        "FROM pg_namespace WHERE nspname !~ '^pg_'"
    )
    return {row[0] for row in found}


def test_removal_spares_other_tables(item: Table, admin: Connection, session: Session, read: ReadTable) -> None:
    """Their triggers need the tombstones; only what was noted of this one goes."""
    admin.execute("CREATE TABLE other (LIKE item INCLUDING ALL); INSERT INTO other SELECT * FROM item")
    install(session, read("other"))
    admin.execute("DELETE FROM item; DELETE FROM other WHERE id = 1")
    remove(session, item)
    admin.execute("DELETE FROM other WHERE id = 2; INSERT INTO item (id) VALUES (1); DELETE FROM item")
    assert noted(admin, "public.other") == keys(1, 2)
    assert noted(admin) == []
    remove(session, read("other"))
    assert admin.execute("SELECT to_regnamespace('syncer')").fetchone() == (None,)


def test_a_schema_that_was_there_stays(admin: Connection, session: Session, read: ReadTable) -> None:
    """Somebody has made it for a reason."""
    admin.execute(ITEM)
    admin.execute("CREATE SCHEMA syncer")
    install(session, read())
    remove(session, read())
    assert admin.execute("SELECT to_regnamespace('syncer') IS NOT NULL").fetchone() == (True,)


def test_two_installations_of_syncer_on_one_table(item: Table, session: Session, admin: Connection) -> None:
    """Each has a schema, and triggers of its own."""
    install(session, item, "staging")
    admin.execute("DELETE FROM item WHERE id = 1")
    assert admin.execute("SELECT key FROM staging.tombstones").fetchall() == [(["1"],)]
    assert noted(admin) == keys(1)
    remove(session, item, "staging")
    admin.execute("DELETE FROM item WHERE id = 2")
    assert noted(admin) == keys(2)


def test_whoever_drops_the_schema_drops_the_triggers(item: Table, admin: Connection) -> None:
    """Triggers that were left behind would let every DELETE fail."""
    admin.execute("DROP SCHEMA syncer CASCADE")
    admin.execute("DELETE FROM item")


@pytest.mark.parametrize("first", ["migrate", "install"])
def test_tombstones_beside_the_state(
    postgres_url: str, admin: Connection, session: Session, read: ReadTable, first: str
) -> None:
    """They share a schema with the state in either order, and its migrations know nothing of them."""
    admin.execute(ITEM)
    if first == "migrate":
        migrate(postgres_url, SCHEMA)
    install(session, read())
    if first == "install":
        assert migrate(postgres_url, SCHEMA)[0] is None
    admin.execute("DELETE FROM item WHERE id = 1")
    assert migrate(postgres_url, SCHEMA)[0] is not None
    assert noted(admin) == keys(1)
    remove(session, read())
    assert admin.execute("SELECT to_regclass('syncer.indices') IS NOT NULL").fetchone() == (True,)


def test_a_reader_may_migrate_after_somebody_else_has_installed(
    postgres_url: str, admin: Connection, open_session: OpenSession, read: ReadTable, role: str
) -> None:
    """Where the state is to live in the schema that the script has made."""
    admin.execute(ITEM)
    admin.execute(f'GRANT SELECT ON item TO "{role}"')
    found = facts(open_session(role), read())
    around = replace(found.around, holds_state=True)
    assert around.reader == role
    admin.execute(str(TombstoneTriggers(read(), SCHEMA).install(around)).encode())
    assert migrate(url_of(postgres_url, role), SCHEMA)[0] is None


@pytest.fixture(name="owner")
def _owner(admin: Connection, role: str) -> Iterator[str]:
    """A role that owns `item`, and no more."""
    admin.execute(ITEM)
    admin.execute(f'ALTER TABLE item OWNER TO "{role}"')
    yield role
    admin.execute(f'REASSIGN OWNED BY "{role}" TO CURRENT_USER')


def test_an_owner_may_install_with_what_the_error_asks_for(
    admin: Connection, owner: str, open_session: OpenSession, read: ReadTable, postgres_url: str
) -> None:
    """CREATE on the database; and the triggers work with the privileges of a role that has no others."""
    session = open_session(owner)
    with pytest.raises(AccessDenied, match="permission denied for database") as denied:
        install(session, read())
    assert denied.value.hint == "ask the owner"
    assert facts(session, read()).around.owner == owner
    admin.execute(f'GRANT CREATE ON DATABASE "{admin.info.dbname}" TO "{owner}"')
    install(session, read())
    with psycopg.connect(url_of(postgres_url, owner), autocommit=True) as writer:
        writer.execute("DELETE FROM item WHERE id = 1")
    admin.execute("DELETE FROM item WHERE id = 2")
    assert noted(admin) == keys(1, 2)
    remove(session, read())


def test_an_installation_that_would_break_deletes_is_refused(
    admin: Connection, owner: str, open_session: OpenSession, session: Session, read: ReadTable, postgres_url: str
) -> None:
    """The tombstones are somebody else's, and the owner of this table may not write to them."""
    admin.execute("CREATE TABLE other (LIKE item INCLUDING ALL)")
    install(session, read("other"))
    admin.execute(f'GRANT USAGE, CREATE ON SCHEMA syncer TO "{owner}"')
    with pytest.raises(AccessDenied, match="every DELETE would fail"):
        install(open_session(owner), read())
    with psycopg.connect(url_of(postgres_url, owner), autocommit=True) as writer:
        writer.execute("DELETE FROM item WHERE id = 1")
    admin.execute(grant_noting(SCHEMA, owner))
    install(open_session(owner), read())
    admin.execute("DELETE FROM item WHERE id = 2")
    assert noted(admin) == keys(2)


def test_whoever_was_allowed_to_install_may_remove(
    admin: Connection, owner: str, open_session: OpenSession, session: Session, read: ReadTable
) -> None:
    """What it noted goes; tombstones and schema are somebody else's, and stay."""
    admin.execute("CREATE TABLE other (LIKE item INCLUDING ALL)")
    install(session, read("other"))
    admin.execute(grant_noting(SCHEMA, owner))
    install(open_session(owner), read())
    admin.execute("DELETE FROM item WHERE id = 1")
    remove(session, read("other"))
    remove(open_session(owner), read())
    assert noted(admin) == []
    assert not facts(session, read()).installed
    remove(session, read())
    assert admin.execute("SELECT to_regnamespace('syncer')").fetchone() == (None,)


def test_a_repetition_that_would_break_deletes_is_refused(
    admin: Connection, owner: str, open_session: OpenSession, session: Session, read: ReadTable
) -> None:
    """The function stays with its owner, who may not write to tombstones that a superuser makes anew."""
    admin.execute(f'GRANT CREATE ON DATABASE "{admin.info.dbname}" TO "{owner}"')
    install(open_session(owner), read())
    admin.execute("DROP TABLE syncer.tombstones")
    with pytest.raises(AccessDenied, match=f"{owner} may not write .* every DELETE would fail"):
        install(session, read())
    install(open_session(owner), read())
    admin.execute("DELETE FROM item WHERE id = 1")
    assert noted(admin) == keys(1)


def test_who_does_not_own_the_table_is_told(
    admin: Connection, role: str, open_session: OpenSession, read: ReadTable
) -> None:
    """In Postgres's words; nothing is left behind."""
    admin.execute(ITEM)
    admin.execute(f'GRANT SELECT ON item TO "{role}"; GRANT CREATE ON DATABASE "{admin.info.dbname}" TO "{role}"')
    with pytest.raises(AccessDenied, match="item"):
        install(open_session(role), read())
    assert admin.execute("SELECT to_regnamespace('syncer')").fetchone() == (None,)


def test_an_owner_creates_partitions_after_a_superuser_has_installed(
    admin: Connection, session: Session, read: ReadTable, role: str, postgres_url: str
) -> None:
    """A partition copies its root's triggers, which takes EXECUTE on their function."""
    admin.execute(PARTITIONED)
    install(session, read())
    assert facts(session, read()).current
    admin.execute(f'ALTER TABLE item OWNER TO "{role}"; GRANT USAGE, CREATE ON SCHEMA public TO "{role}"')
    assert not facts(session, read()).current
    install(session, read())
    assert facts(session, read()).current
    with psycopg.connect(url_of(postgres_url, role), autocommit=True) as owner:
        owner.execute("CREATE TABLE highest PARTITION OF item FOR VALUES FROM (30) TO (40)")
        owner.execute("INSERT INTO item VALUES (31)")
        owner.execute("DELETE FROM item WHERE id = 31")
    assert noted(admin) == keys(31)


def test_an_installation_gives_up_before_writers_wait_long(
    admin: Connection, session: Session, read: ReadTable, postgres_url: str
) -> None:
    """A transaction that has written holds it up; it leaves nothing behind."""
    admin.execute(ITEM)
    with psycopg.connect(postgres_url) as writer:
        writer.execute("UPDATE item SET title = 'x'")
        with pytest.raises(SourceUnavailable, match="lock timeout"):
            install(session, read())
    assert admin.execute("SELECT to_regnamespace('syncer')").fetchone() == (None,)


def test_an_installation_waits_for_no_reader(item: Table, session: Session, postgres_url: str) -> None:
    """Nor do readers wait for it, also when it replaces another."""
    with psycopg.connect(postgres_url) as reader:
        reader.execute("SELECT FROM item")
        install(session, replace(item, routing="tenant"))


def test_the_facts_name_what_is_wrong(partitioned: Table, session: Session, admin: Connection) -> None:
    """A partition of later, a disabled trigger, one that was set back; each with its table."""
    found = facts(session, partitioned)
    assert (found.installed, found.current, found.readable, found.prunable) == (True, True, True, True)
    assert (found.missing, found.disabled, found.sometimes) == ({}, {}, {})
    delete, update, truncate = TombstoneTriggers(partitioned, SCHEMA).names
    admin.execute("CREATE TABLE highest PARTITION OF item FOR VALUES FROM (30) TO (40)")
    admin.execute(f"ALTER TABLE low DISABLE TRIGGER {delete}; ALTER TABLE higher ENABLE TRIGGER {update}")
    found = facts(session, partitioned)
    assert found.missing == {"public.highest": [truncate]}
    assert found.disabled == {"public.low": [delete]}
    assert found.sometimes == {"public.higher": [update]}
    install(session, partitioned)
    found = facts(session, partitioned)
    assert (found.missing, found.disabled, found.sometimes) == ({}, {}, {})
