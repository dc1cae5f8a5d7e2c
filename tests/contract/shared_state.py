"""A state that several processes share, and what tests do to it behind their backs."""

from __future__ import annotations

import time
from typing import Any, Protocol

import psycopg

from syncer.adapters.memory.state import MemoryStateStore
from syncer.adapters.postgres.migrate import migrate
from syncer.adapters.postgres.state import PostgresStateStore

Store = MemoryStateStore | PostgresStateStore

_DEADLINE_SECONDS = 10.0


class SharedState(Protocol):
    """The state in either form."""

    def open(self) -> Store:
        """Return the store of another process."""

    def expire(self, index: str) -> None:
        """End the sessions that hold the index."""

    def supersede(self, index: str) -> None:
        """Begin an epoch that the holder of the lease knows nothing of."""


class MemoryState:
    """Processes are callers of one object."""

    def __init__(self) -> None:
        self._store = MemoryStateStore()

    def open(self) -> Store:
        return self._store

    def expire(self, index: str) -> None:
        self._store.expire(index)

    def supersede(self, index: str) -> None:
        self._store.expire(index)
        self._store.acquire(index).release()


class PostgresState:
    """A migrated schema `syncer` in an empty database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._stores: list[PostgresStateStore] = []
        migrate(url, "syncer")

    def open(self, url: str | None = None) -> PostgresStateStore:
        store = PostgresStateStore(url or self.url, "syncer")
        self._stores.append(store)
        return store

    def expire(self, index: str) -> None:
        self.end_sessions(f"syncer % {index}")

    def supersede(self, index: str) -> None:
        self.execute("UPDATE syncer.indices SET epoch = epoch + 1 WHERE name = %s", index)

    def end_sessions(self, application_name: str = "syncer%") -> None:
        """Terminate the sessions whose name is LIKE this, at least one, and wait for their end."""
        of_them = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE %s"
        assert self.execute(f"SELECT pg_terminate_backend(pid) {of_them}", application_name)
        self.wait_for(f"SELECT 1 WHERE NOT EXISTS (SELECT {of_them})", application_name)

    def wait_for(self, statement: str, *values: Any) -> None:
        """Wait until a statement returns a row."""
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not self.execute(statement, *values):
            assert time.monotonic() < deadline, statement

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement as superuser, on a session of its own; return its rows, if it has any."""
        return execute(self.url, statement, *values)

    def close(self) -> None:
        """Disconnect the stores."""
        for store in self._stores:
            store.close()


def execute(url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement on a session of its own; return its rows, if it has any."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []
