"""Which alerts hold, in the state schema, and the right to tell of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.held_session import HELD_SETTINGS
from syncer.adapters.postgres.session import Session, transaction
from syncer.adapters.postgres.tables import Tables, digest
from syncer.core.alert import Alert, Kept, Settled, Severity
from syncer.core.error import ConfigurationError, StateUnavailable

#: A session of alerts that was idle for so long belongs to a process that is frozen: it looks far more often.
FROZEN_SECONDS = 180.0
#: What has held for longer, and was not told, was not looked at in between.
_GAP = timedelta(hours=1)

#: Returns what comes of what is kept.
Settle = Callable[[Sequence[Kept]], Settled]


class PostgresAlerts:
    """The alerts of one state schema, on a session of its own. Safe for several threads.

    Scopes part them: the alerts of one scope are settled by the one session that holds it, until that ends. What
    processes see at about the same time differs a little, and one after the other they would fire and resolve.

    Raises StateUnavailable, and ConfigurationError without a schema, or behind a transaction-pooling proxy.
    """

    def __init__(
        self,
        url: str,
        schema: str,
        *,
        setting: str = "state.url",
        frozen_seconds: float = FROZEN_SECONDS,
    ) -> None:
        """frozen_seconds: more than lies between two looks."""
        self._schema = schema
        self._frozen_seconds = frozen_seconds
        self._table = Tables(schema).alerts
        self._guard = threading.Lock()
        self._held: set[str] = set()
        self._session = Session(
            url,
            setting=setting,
            settings=HELD_SETTINGS,
            unavailable=StateUnavailable,
            application_name="syncer alerts",
        )

    def close(self) -> None:
        """Disconnect, and let others settle what this one held. Never raises."""
        with self._guard:
            self._session.close()

    def hold(self, scope: str) -> bool:
        """Take the right to settle a scope, or tell that it is taken already; False where another process has it."""
        with self._use() as connection:
            if scope in self._held:
                return True
            lock = self._lock_on(scope)
            if not lock.try_for_session(connection):
                # Whoever ends takes a moment: the next look takes it.
                lock.end_idle_holder(connection, self._frozen_seconds)
                return False
            self._prove(connection, lock)
            # A restart begins nothing anew; but of what was so before nobody looked, nobody knows for how long it held.
            since, pending = self._table.c.since, self._table.c.fired_at.is_(None)
            old = since < func.now() - _GAP
            connection.execute(delete(self._table).where(self._table.c.scope == scope, pending, old))
            self._held.add(scope)
            return True

    def held(self, scope: str) -> bool:
        """Tell whether a scope is held, as far as the last use of the session knows."""
        with self._guard:
            return self._session.connected and scope in self._held

    def leave(self, scope: str) -> None:
        """Let others settle a scope."""
        with self._use() as connection:
            if scope in self._held:
                self._held.discard(scope)
                self._lock_on(scope).give_back(connection)

    def settle(self, scope: str, settle: Settle) -> Settled | None:
        """Replace what is kept of a scope, in one transaction; None where the scope is not held any more."""
        table = self._table
        with self._use() as connection:
            if scope not in self._held:
                return None
            with transaction(connection):
                self._prove(connection, self._lock_on(scope))
                found = connection.execute(select(table).where(table.c.scope == scope))
                before = [_from_row(row) for row in found]
                settled = settle(before)
                if list(settled.kept) != before:
                    connection.execute(delete(table).where(table.c.scope == scope))
                    if settled.kept:
                        connection.execute(insert(table), [self._values(scope, kept) for kept in settled.kept])
            return settled

    def firing(self, scopes: Sequence[str]) -> Sequence[Kept]:
        """Return what has been told and not resolved, whoever told it."""
        table = self._table
        told = table.c.scope.in_(scopes) & table.c.fired_at.is_not(None)
        with self._use() as connection:
            ordered = select(table).where(told).order_by(table.c.name, func.encode(table.c.digest, "hex"))
            return [_from_row(row) for row in connection.execute(ordered)]

    def _prove(self, connection: Connection, lock: AdvisoryLock) -> None:
        if not lock.is_mine(connection):
            raise ConfigurationError(
                f"{self._session.setting} leads through a proxy that pools transactions: "
                "a lock of a session is none there",
                hint=f"let {self._session.setting} name the server itself, or a pool of sessions",
            )

    def _lock_on(self, scope: str) -> AdvisoryLock:
        return AdvisoryLock.on(self._schema, "alerts", scope)

    @contextmanager
    def _use(self) -> Iterator[Connection]:
        with self._guard:
            if not self._session.connected:
                # Another session: what the one before held has ended with it.
                self._held.clear()
            with self._session.use() as connection:
                yield connection

    def _values(self, scope: str, kept: Kept) -> dict[str, Any]:
        alert = kept.alert
        return {
            "scope": scope,
            "digest": digest(alert.key),
            "name": alert.name,
            "labels": {name: _storable(text) for name, text in alert.labels.items()},
            "severity": alert.severity.value,
            "message": _storable(alert.message),
            "remedy": _storable(alert.remedy),
            "since": kept.since,
            "fired_at": kept.fired_at,
            "quiet_since": kept.quiet_since,
        }


def _from_row(row: Row[Any]) -> Kept:
    alert = Alert(row.name, Severity(row.severity), row.message, row.remedy, row.labels)
    return Kept(alert, row.since, row.fired_at, row.quiet_since)


def _storable(text: str) -> str:
    """Return what Postgres takes: messages quote what servers say."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
