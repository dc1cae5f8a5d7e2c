"""Creates and upgrades the state schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, column, select, table, text
from sqlalchemy.schema import CreateSchema

import syncer
from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.session import STATE_SETTINGS, Session
from syncer.core.error import AccessDenied, ConfigurationError, StateUnavailable

#: An upgrade may rewrite a table; and who comes second waits for the first.
_SETTINGS = {**STATE_SETTINGS, "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}

# By the catalogue, not by to_regclass(): that fails for a role that may not use the schema, before it is told what to
# be granted.
_THERE = text("""
SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                WHERE n.nspname = :schema AND c.relname = 'alembic_version')
""")


def migrate(url: str, schema: str, *, setting: str = "state.url") -> tuple[str | None, str]:
    """Bring the schema to this version of syncer, and create it if need be; return the revisions before and after.

    Idempotent, and safe when two run at once. All or nothing: one transaction. Raises StateUnavailable, AccessDenied
    with the GRANT that is missing, and ConfigurationError for a schema of a newer syncer.
    """
    session = _session(url, setting)
    try:
        with session.transaction() as connection:
            AdvisoryLock.on(schema, "migrate").wait_for_transaction(connection)
            config = alembic_config(connection, schema)
            before, head = _current(connection, schema), _head(config)
            if before == head:
                return before, head
            _refuse_newer(before, schema, config)
            _prepare(connection, schema)
            command.upgrade(config, "head")
            return before, head
    finally:
        session.close()


def revision(url: str, schema: str, *, setting: str = "state.url") -> tuple[str | None, str]:
    """Return the schema's revision, None where it is missing, and the one that this version of syncer needs."""
    session = _session(url, setting)
    try:
        with session.use() as connection:
            return _current(connection, schema), _head(alembic_config(connection, schema))
    finally:
        session.close()


def require_current(url: str, schema: str, *, setting: str = "state.url") -> None:
    """Raise ConfigurationError, with what to do, unless the schema has the revision that this version needs."""
    session = _session(url, setting)
    try:
        with session.use() as connection:
            config = alembic_config(connection, schema)
            current = _current(connection, schema)
            if current == _head(config):
                return
            _refuse_newer(current, schema, config)
    finally:
        session.close()
    state = f"is of an older version of syncer (revision {current})" if current else "is not there yet"
    raise ConfigurationError(f"{setting}: the state schema {schema!r} {state}", hint="run: syncer migrate")


def alembic_config(connection: Connection, schema: str) -> Config:
    """Return what Alembic needs to work on one schema, over a connection on which a transaction is open."""
    config = Config(attributes={"connection": connection, "schema": schema})
    # `%` stands for itself in a path, but not in a Config.
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _session(url: str, setting: str) -> Session:
    return Session(
        url,
        setting=setting,
        settings=_SETTINGS,
        unavailable=StateUnavailable,
        application_name="syncer migrate",
    )


def _migrations() -> Path:
    """Return the migrations: inside the package where it was installed, beside it in a checkout."""
    package = Path(syncer.__file__).parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def _head(config: Config) -> str:
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None
    return head


def _current(connection: Connection, schema: str) -> str | None:
    if not connection.scalar(_THERE, {"schema": schema}):
        return None
    version = connection.scalar(select(column("version_num")).select_from(table("alembic_version", schema=schema)))
    return None if version is None else str(version)


def _refuse_newer(current: str | None, schema: str, config: Config) -> None:
    scripts = ScriptDirectory.from_config(config)
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise ConfigurationError(
            f"the state schema {schema!r} is of a newer version of syncer: revision {current}, "
            f"where syncer {syncer.__version__} knows up to {_head(config)}",
            hint="use that version of syncer, or a later one",
        )


def _prepare(connection: Connection, schema: str) -> None:
    """Create the schema where it is missing, or see that tables may be created in it."""
    found = connection.execute(
        text(
            "SELECT has_database_privilege(current_database(), 'CREATE') AS in_database, "
            "(SELECT has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE') "
            "FROM pg_catalog.pg_namespace WHERE nspname = :schema) AS in_schema, "
            "quote_ident(current_database()) AS database, quote_ident(:schema) AS schema, "
            "quote_ident(current_user) AS role"
        ),
        {"schema": schema},
    ).one()
    if found.in_schema is None:
        if not found.in_database:
            raise AccessDenied(
                f"the state schema {schema!r} is missing, and {found.role} may not create it",
                hint=f"GRANT CREATE ON DATABASE {found.database} TO {found.role};  "
                f"or: CREATE SCHEMA {found.schema} AUTHORIZATION {found.role};",
            )
        connection.execute(CreateSchema(schema))
    elif not found.in_schema:
        raise AccessDenied(
            f"{found.role} may not create tables in the state schema {schema!r}",
            hint=f"GRANT CREATE, USAGE ON SCHEMA {found.schema} TO {found.role};",
        )
