"""One connection to Postgres, for one thread, and the translation of its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, ProgrammingError
from sqlalchemy.pool import NullPool

from syncer.core.error import (
    AccessDenied,
    ConfigurationError,
    CredentialsRefused,
    FatalError,
    SchemaMismatch,
    SourceUnavailable,
    StateUnavailable,
    SyncerError,
)

#: A dead server is noticed in seconds, not in the two hours of the kernel's default.
_CONNECT_ARGS = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    # Statements of one shape differ only in values: prepare them at their second use.
    "prepare_threshold": 2,
    # Not PGCLIENTENCODING's, nor the role's: keys are any text.
    "client_encoding": "utf8",
    # Until the session's settings are made.
    "application_name": "syncer",
}

#: What a row looks like as text must not depend on who asks: the hash of a document is made of it.
OUTPUT_SETTINGS: Mapping[str, str] = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
}

#: Sessions that read the source.
SOURCE_SETTINGS: Mapping[str, str] = {
    **OUTPUT_SETTINGS,
    # A policy that hides rows must be an error: an absence would be taken for a deletion.
    "row_security": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "on",
    # Constants in statements are written for it.
    "standard_conforming_strings": "on",
    # Workers belong to the application; and the parts of a UNION ALL are to run in their order.
    "max_parallel_workers_per_gather": "0",
    # Plans are made for the values at hand: a generic plan for a keyset page may read the whole table.
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    "statement_timeout": "10min",
    # Somebody changes the table: come back later, and hear a SIGTERM in between.
    "lock_timeout": "10s",
}

#: Sessions that look at the source now and then, while it is used.
LOOKING_SETTINGS: Mapping[str, str] = {**SOURCE_SETTINGS, "statement_timeout": "5s", "lock_timeout": "2s"}

#: Sessions that write the state.
STATE_SETTINGS: Mapping[str, str] = {
    "TimeZone": "UTC",
    # A number that was drawn must survive a crash of the server.
    "synchronous_commit": "on",
    # Fencing locks a row and looks at its newest version, which needs this level; the role may have another default.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "statement_timeout": "1min",
    # A process that freezes in a transaction must not keep its locks.
    "idle_in_transaction_session_timeout": "1min",
}

#: Besides, of sessions that last: the server notices in seconds that the other machine is gone, not in two hours.
LASTING_SETTINGS: Mapping[str, str] = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

#: A process has a handful of servers, however many sessions.
_ENGINES_KEPT = 16

#: A lock not granted in time; a session, or a transaction, that was idle for too long, as after a SIGSTOP.
_ENDED_BY_THE_SERVER = frozenset({"55P03", "25P03", "25P04"})

_SOURCE_GRANT = (
    "grant SELECT on the table, and BYPASSRLS to the role where row level security is on: "
    "`syncer grants` prints the SQL; see `syncer check`"
)

#: What a role needs that runs syncer, and did not create the state schema.
_STATE_GRANT = (
    "grant USAGE on the state schema, SELECT, INSERT, UPDATE, DELETE on all its tables, "
    "and SELECT, UPDATE on its sequence: `syncer grants` prints the SQL"
)


class Session:
    """Connects when first used, and again at the first use after a failure. Autocommit; not for several threads."""

    def __init__(
        self,
        url: str,
        *,
        setting: str,
        settings: Mapping[str, str],
        unavailable: type[SourceUnavailable] | type[StateUnavailable],
        application_name: str = "syncer",
        on_connect: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """setting: what the configuration calls the url, for messages. settings: of the server, for this session.

        on_connect: done on each new connection before it is lent; where it raises, there is no connection.
        """
        self.setting = setting
        self._settings = {**settings, "application_name": application_name}
        self._unavailable = unavailable
        self._on_connect = on_connect
        self._engine = _engine(url, setting)
        self._connection: Connection | None = None

    @contextmanager
    def use(self) -> Iterator[Connection]:
        """Lend the connection. Any database error is raised as a SyncerError; a broken connection is dropped."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            yield self._connection
        except DBAPIError as error:
            translated = translate(error, self.setting, self._unavailable)
            # Left to itself, SQLAlchemy would reconnect: to a session without our settings and without our locks.
            if isinstance(translated, self._unavailable) or error.connection_invalidated:
                self.close()
            raise translated from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend the connection for one transaction, which is rolled back when anything is raised."""
        with self.use() as connection, transaction(connection):
            yield connection

    @property
    def connected(self) -> bool:
        """Tell whether the connection of the last use still stands; after a failure it does not."""
        return self._connection is not None

    def close(self) -> None:
        """Drop the connection, if there is one. Never raises."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Not close(): that would first talk to a server which may be gone.
            connection.invalidate()
            connection.close()

    def _connect(self) -> Connection:
        connection = self._engine.connect()
        try:
            server = connection.dialect.server_version_info or (0,)
            settings = dict(self._settings)
            if server >= (14,):
                settings["idle_session_timeout"] = "0"
            names = {f"n{i}": name for i, name in enumerate(settings)}
            values = {f"v{i}": value for i, value in enumerate(settings.values())}
            calls = ", ".join(f"set_config(:n{i}, :v{i}, false)" for i in range(len(settings)))
            connection.execute(text(f"SELECT {calls}"), names | values)
            self._on_connect(connection)
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        return connection


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Run what is inside in one transaction of a connection that otherwise commits by itself."""
    connection.execute(text("BEGIN"))
    try:
        yield
    except BaseException:
        if not connection.invalidated:
            connection.execute(text("ROLLBACK"))
        raise
    connection.execute(text("COMMIT"))


def translate(
    error: DBAPIError, setting: str, unavailable: type[SourceUnavailable] | type[StateUnavailable]
) -> SyncerError:
    """Return the error of `core.error` that a database error means; decided by SQLSTATE."""
    state = sqlstate(error)
    reason = f"{setting}: {reason_of(error)}"
    of_state = unavailable is StateUnavailable
    if not state:
        return _without_state(error, reason, setting) or unavailable(
            reason, hint="check that the server runs and is reachable"
        )
    if state.startswith("28"):
        return CredentialsRefused(reason, hint=f"check user and password in {setting}")
    if state == "3D000":
        return ConfigurationError(reason, hint=f"check the name of the database in {setting}")
    if state[:2] in {"08", "40", "53", "57", "58"} or state in _ENDED_BY_THE_SERVER:
        return unavailable(reason)
    if state == "25006" and of_state:
        return unavailable(reason, hint="this server is a standby, or not promoted yet")
    if state == "42501":
        return AccessDenied(reason, hint=_STATE_GRANT if of_state else _SOURCE_GRANT)
    if state in {"42P01", "42703", "3F000"}:
        if of_state:
            return ConfigurationError(reason, hint="create or upgrade the state schema: syncer migrate")
        return SchemaMismatch(reason, hint="the table or column was renamed or dropped")
    return FatalError(f"{reason} (SQLSTATE {state})")


@lru_cache(_ENGINES_KEPT)
def _engine(url: str, setting: str) -> Engine:
    """Return what connects, without a pool.

    Kept: it remembers the SQL of statements. One for each session would make them anew after each reconnection, and
    leave the old ones to the garbage collector, which comes seldom.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            f"{setting} is not a database URL", hint="write postgresql://user:password@host:5432/database"
        ) from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigurationError(
            f"{setting} is a {parsed.get_backend_name()} URL; only Postgres is supported",
            hint="write postgresql://user:password@host:5432/database",
        )
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        # Rows and keys have no place in tracebacks.
        hide_parameters=True,
        connect_args=_CONNECT_ARGS,
    )


def _without_state(error: DBAPIError, reason: str, setting: str) -> SyncerError | None:
    """Return what an error means that came from libpq or the driver, unless it is that nobody answers.

    libpq reports a refused login as a failed connection, without SQLSTATE.
    """
    if isinstance(error, DataError):
        return FatalError(reason)
    if isinstance(error, ProgrammingError):
        return ConfigurationError(reason, hint=f"check the options in {setting}")
    if "authentication failed" in reason or "no password supplied" in reason or "no pg_hba.conf entry" in reason:
        return CredentialsRefused(reason, hint=f"check user and password in {setting}")
    if "permission denied for database" in reason:
        return AccessDenied(reason, hint="grant CONNECT on the database: `syncer grants` prints the SQL")
    if reason.endswith("does not exist") or "connection is bad: invalid" in reason:
        return ConfigurationError(reason, hint=f"check database, user and options in {setting}")
    return None


def sqlstate(error: DBAPIError) -> str:
    """Return the server's code for an error; empty where it came from libpq or the driver."""
    return getattr(error.orig, "sqlstate", None) or ""


def reason_of(error: DBAPIError) -> str:
    """Return the server's own words, without the statement."""
    lines = str(error.orig).strip().splitlines()
    return next((line.strip() for line in lines if line.strip()), type(error.orig).__name__)
