"""The migrations of the state schema."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import UniqueViolation
from sqlalchemy import inspect

from syncer.adapters.postgres.migrate import alembic_config, migrate, require_current, revision
from syncer.adapters.postgres.session import STATE_SETTINGS, Session
from syncer.adapters.postgres.tables import Tables
from syncer.core.error import AccessDenied, ConfigurationError, StateUnavailable
from tests.contract.shared_state import execute

ROOT = Path(__file__).parents[2]
HEAD = "0009"

#: Any name is allowed, and has to be quoted.
NAMES = ["syncer", "My-Schema", """user "a" 'b' %s :c \\ d.e"""]


@pytest.fixture(name="session")
def _session(postgres_url: str) -> Session:
    return Session(postgres_url, setting="state.url", settings=STATE_SETTINGS, unavailable=StateUnavailable)


def relations(url: str, schema: str) -> set[str]:
    rows = execute(
        url,
        "SELECT relname::text FROM pg_class WHERE relnamespace = "
        "(SELECT oid FROM pg_namespace WHERE nspname = %s) AND relkind IN ('r', 'S', 'i')",
        schema,
    )
    return {str(name) for (name,) in rows}


@pytest.mark.parametrize("schema", NAMES)
def test_the_schema_is_created_and_then_left_alone(postgres_url: str, schema: str) -> None:
    """From nothing to the newest revision in one step; the second time there is nothing to do."""
    assert revision(postgres_url, schema) == (None, HEAD)
    assert migrate(postgres_url, schema) == (None, HEAD)
    assert migrate(postgres_url, schema) == (HEAD, HEAD)
    assert revision(postgres_url, schema) == (HEAD, HEAD)
    require_current(postgres_url, schema)


@pytest.mark.parametrize("schema", NAMES)
def test_it_goes_down_and_up_again(postgres_url: str, session: Session, schema: str) -> None:
    """Step by step; nothing is left at the bottom but the record of revisions, and all is back at the top."""
    migrate(postgres_url, schema)
    whole = relations(postgres_url, schema)
    with session.use() as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection, schema)).walk_revisions()
        steps = [script.down_revision or "base" for script in scripts]
    for step in steps:
        with session.transaction() as connection:
            command.downgrade(alembic_config(connection, schema), str(step))
    session.close()
    assert relations(postgres_url, schema) == {"alembic_version", "alembic_version_pkc"}
    assert migrate(postgres_url, schema) == (None, HEAD)
    assert relations(postgres_url, schema) == whole


def test_the_code_uses_what_the_migrations_make(postgres_url: str, session: Session) -> None:
    """Tables, columns, types, keys and indices are the same; comments are the migrations' alone."""
    migrate(postgres_url, "syncer")
    options = {
        "include_schemas": True,
        "version_table_schema": "syncer",
        "include_name": lambda name, kind, _: kind != "schema" or name == "syncer",
    }
    with session.use() as connection:
        context = MigrationContext.configure(connection, opts=options)
        found = compare_metadata(context, Tables("syncer").metadata)
        dialect = connection.dialect
        made = {
            table: {column["name"]: column["type"].compile(dialect) for column in columns}
            for (_, table), columns in inspect(connection).get_multi_columns(schema="syncer").items()
        }
    session.close()
    flat = [change for each in found for change in (each if isinstance(each, list) else [each])]
    assert [change for change in flat if "comment" not in change[0]] == []
    # To Alembic's comparison an array is as good as an element.
    used = {
        table.name: {column.name: column.type.compile(dialect) for column in table.columns}
        for table in Tables("syncer").metadata.tables.values()
    }
    assert used == {table: columns for table, columns in made.items() if table != "alembic_version"}
    sequence = "SELECT seqcache, seqtypid::regtype::text FROM pg_sequence WHERE seqrelid = 'syncer.version'::regclass"
    assert execute(postgres_url, sequence) == [(1, "bigint")]


def test_every_table_and_column_says_what_it_is(postgres_url: str) -> None:
    """For those who look at the database, not at the code."""
    migrate(postgres_url, "syncer")
    silent = execute(
        postgres_url,
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relnamespace = 'syncer'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 "
        "AND c.relname <> 'alembic_version' "
        "AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)",
    )
    assert silent == []


def test_an_upgrade_keeps_what_was_stored(postgres_url: str, session: Session) -> None:
    """Of the first revision: nothing is verified or counted yet, and no dead letter is delivered again by itself."""
    execute(postgres_url, "CREATE SCHEMA syncer")
    with session.transaction() as connection:
        command.upgrade(alembic_config(connection, "syncer"), "0001")
    session.close()
    execute(
        postgres_url,
        "INSERT INTO syncer.indices (name, pipeline, alias, phase, epoch, fingerprint) "
        "VALUES ('items-1', 'items', 'items', 'live', 7, '{}')",
    )
    execute(
        postgres_url,
        "INSERT INTO syncer.dead_letters VALUES ('items-1', 'd', '{1}', 5, 'kind', 'reason', 2, now(), now())",
    )
    assert migrate(postgres_url, "syncer") == ("0001", HEAD)
    kept = execute(
        postgres_url,
        "SELECT epoch, verified_at, reconcile, texts_embedded, key, attempts, retry_at "
        "FROM syncer.indices JOIN syncer.dead_letters ON index = name",
    )
    assert kept == [(7, None, None, 0, ["1"], 2, None)]


def test_rebuilds_come_and_go_with_indices_there(postgres_url: str, session: Session) -> None:
    """An index of the second revision is followed and nothing else; back there, it is as it was."""
    execute(postgres_url, "CREATE SCHEMA syncer")
    with session.transaction() as connection:
        command.upgrade(alembic_config(connection, "syncer"), "0002")
    add = "INSERT INTO syncer.indices (name, pipeline, alias, phase, epoch, fingerprint, followed) "
    execute(postgres_url, f"{add} VALUES ('items-1', 'items', 'items', 'live', 7, '{{}}', true)")
    before = execute(postgres_url, "SELECT * FROM syncer.indices")
    assert migrate(postgres_url, "syncer") == ("0002", HEAD)
    added = execute(postgres_url, "SELECT followed, definition, filling, kept_since FROM syncer.indices")
    assert added == [(True, {}, False, None)]
    with session.transaction() as connection:
        command.downgrade(alembic_config(connection, "syncer"), "0002")
    session.close()
    assert execute(postgres_url, "SELECT * FROM syncer.indices") == before
    assert migrate(postgres_url, "syncer") == ("0002", HEAD)


def test_what_a_truncate_asked_for_stays_that(postgres_url: str, session: Session) -> None:
    """Nothing else asked for a comparison before; back there, nothing else does."""
    migrate(postgres_url, "syncer")
    with session.transaction() as connection:
        command.downgrade(alembic_config(connection, "syncer"), "0006")
    add = "INSERT INTO syncer.indices (name, pipeline, alias, phase, epoch, fingerprint, followed, reconcile) "
    for name, reconcile in (("1", "2026-05-04"), ("2", None)):
        execute(postgres_url, f"{add} VALUES (%s, %s, '', 'live', 0, '{{}}', true, %s)", name, name, reconcile)
    migrate(postgres_url, "syncer")
    asked = "SELECT reconcile IS NOT NULL, truncated = reconcile FROM syncer.indices ORDER BY name"
    assert execute(postgres_url, asked) == [(True, True), (False, None)]
    execute(postgres_url, "UPDATE syncer.indices SET reconcile = now() WHERE name = '2'")
    with session.transaction() as connection:
        command.downgrade(alembic_config(connection, "syncer"), "0006")
    session.close()
    left = execute(postgres_url, "SELECT reconcile IS NULL, verify_needed FROM syncer.indices ORDER BY name")
    assert left == [(False, None), (True, "a table began to be followed anew")]


def test_a_pipeline_has_one_index_of_a_role_but_keeps_many(postgres_url: str) -> None:
    """Whoever writes to the table: of those followed, and of those built, there is one."""
    migrate(postgres_url, "syncer")
    add = "INSERT INTO syncer.indices (name, pipeline, alias, phase, epoch, fingerprint, followed) "
    add += "VALUES (%s, 'items', 'items', %s, 0, '{}', %s)"
    for name, phase, followed in (("1", "live", True), ("2", "new", False), ("3", "kept", False), ("4", "kept", False)):
        execute(postgres_url, add, name, phase, followed)
    for phase, followed in (("new", True), ("ready", False)):
        with pytest.raises(UniqueViolation):
            execute(postgres_url, add, "5", phase, followed)


def test_two_migrate_at_once(postgres_url: str) -> None:
    """Containers that start together: one does the work, the others wait and find it done."""
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: migrate(postgres_url, "syncer"), range(4)))
    assert sorted(results, key=str) == [(HEAD, HEAD)] * 3 + [(None, HEAD)]


def test_a_schema_that_is_missing_or_older_is_a_matter_of_migrate(postgres_url: str) -> None:
    """The message says which command to run."""
    with pytest.raises(ConfigurationError, match="not there yet") as missing:
        require_current(postgres_url, "syncer")
    assert "syncer migrate" in missing.value.hint
    execute(postgres_url, "CREATE SCHEMA syncer")
    with pytest.raises(ConfigurationError, match="not there yet"):
        require_current(postgres_url, "syncer")
    assert migrate(postgres_url, "syncer") == (None, HEAD)


def test_a_schema_of_a_newer_version_is_refused(postgres_url: str) -> None:
    """An older program must not write to what it does not know."""
    migrate(postgres_url, "syncer")
    execute(postgres_url, "UPDATE syncer.alembic_version SET version_num = '9999'")
    for use in (require_current, migrate):
        with pytest.raises(ConfigurationError, match="newer version of syncer: revision 9999") as refused:
            use(postgres_url, "syncer")
        assert "syncer migrate" not in refused.value.hint


def test_a_failed_migration_leaves_nothing(postgres_url: str) -> None:
    """All or nothing: something is in the way of the third table."""
    execute(postgres_url, "CREATE SCHEMA syncer")
    execute(postgres_url, "CREATE VIEW syncer.dead_letters AS SELECT 1 AS n")
    before = relations(postgres_url, "syncer")
    with pytest.raises(Exception, match="already exists"):
        migrate(postgres_url, "syncer")
    assert relations(postgres_url, "syncer") == before
    execute(postgres_url, "DROP VIEW syncer.dead_letters")
    assert migrate(postgres_url, "syncer") == (None, HEAD)


def test_a_privilege_that_is_missing_is_named(postgres_url: str) -> None:
    """As the GRANT that a DBA would run; and no more is needed than that."""
    [(role,)] = execute(postgres_url, "SELECT 'migrator_' || replace(gen_random_uuid()::text, '-', '')")
    execute(postgres_url, f"CREATE ROLE {role} LOGIN PASSWORD 'secret-word'")
    parts = urlsplit(postgres_url)
    url = parts._replace(netloc=f"{role}:secret-word@{parts.netloc.rpartition('@')[2]}").geturl()
    try:
        with pytest.raises(AccessDenied, match="may not create it") as denied:
            migrate(url, "syncer")
        execute(postgres_url, denied.value.hint.split(";")[0])
        assert migrate(url, "syncer") == (None, HEAD)
        execute(postgres_url, 'CREATE SCHEMA "Their Own"')
        execute(postgres_url, f"REVOKE CREATE ON DATABASE {parts.path[1:]} FROM {role}")
        execute(postgres_url, f'GRANT USAGE ON SCHEMA "Their Own" TO {role}')
        with pytest.raises(AccessDenied, match="may not create tables") as denied:
            migrate(url, "Their Own")
        execute(postgres_url, denied.value.hint)
        assert migrate(url, "Their Own") == (None, HEAD)
        assert migrate(url, "syncer") == (HEAD, HEAD)
    finally:
        execute(postgres_url, f"DROP OWNED BY {role} CASCADE")
        execute(postgres_url, f"DROP ROLE {role}")


def test_an_installed_wheel_brings_its_migrations(postgres_url: str, tmp_path: Path) -> None:
    """Away from the checkout, and with nothing of it on the path."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheels, installed = tmp_path / "wheels", tmp_path / "installed"
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, ROOT], check=True)
    subprocess.run([*pip, "install", "--no-deps", "--target", installed, *wheels.iterdir()], check=True)
    program = (
        "import sys, syncer; from syncer.adapters.postgres.migrate import migrate;"
        "print(syncer.__file__, *migrate(sys.argv[1], 'syncer'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, postgres_url],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(installed / "syncer" / "__init__.py"), "None", HEAD]
    assert revision(postgres_url, "syncer") == (HEAD, HEAD)
