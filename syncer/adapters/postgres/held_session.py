"""A session that holds something: the lease of an index, or its backfill."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from sqlalchemy import Connection

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.session import STATE_SETTINGS, Session
from syncer.core.error import ConfigurationError, LeaseHeld, LeaseLost, StateUnavailable, SyncerError

#: The server notices in seconds that the holder's machine is gone, not in the two hours of the kernel's default.
HELD_SETTINGS = {
    **STATE_SETTINGS,
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

Lend = Callable[[], AbstractContextManager[Connection]]


class HeldSession:
    """Holds an advisory lock for as long as its connection lasts, and never connects again. Safe for several threads.

    All that only the holder may do is done on this session: with the lock, the means to do it are gone.
    """

    def __init__(self, session: Session, lock: AdvisoryLock, what: str) -> None:
        """session: with HELD_SETTINGS, for this alone. what: the thing that is held, for messages."""
        self._session = session
        self._lock = lock
        self._what = what
        self._guard = threading.RLock()

    def take(self, another: Lend) -> None:
        """Connect and take the lock. `another` opens a transaction on another session.

        Raises LeaseHeld with the holder, StateUnavailable, and ConfigurationError behind a transaction-pooling proxy.
        """
        try:
            with self._session.use() as connection:
                if not self._lock.try_for_session(connection):
                    holder = self._lock.holder(connection) or "a session that has just ended"
                    raise LeaseHeld(
                        f"{self._what} is held by another process ({holder})",
                        hint="stop that process, or wait for its end; the pid is its session's in the state database",
                    )
            # A transaction-pooling proxy would lend the backend that took the lock to whoever asks next. So ask for
            # one, keep it, and see where the next statement of this session goes.
            with another(), self._session.use() as connection:
                if not self._lock.is_mine(connection):
                    raise ConfigurationError(
                        f"{self._session.setting} leads through a proxy that pools transactions: "
                        "a lock of a session is none there",
                        hint=f"let {self._session.setting} name the server itself, or a pool of sessions",
                    )
        except BaseException:
            self._session.close()
            raise

    def use(self) -> AbstractContextManager[Connection]:
        """Lend the connection. Raises LeaseLost where it is gone."""
        return self._lend(self._session.use)

    def transaction(self) -> AbstractContextManager[Connection]:
        """Lend the connection for one transaction. Raises LeaseLost where it is gone."""
        return self._lend(self._session.transaction)

    def release(self) -> None:
        """Give the lock back and disconnect. Never raises."""
        with self._guard:
            with suppress(SyncerError), self.use() as connection:
                self._lock.give_back(connection)
            self._session.close()

    @contextmanager
    def _lend(self, lend: Lend) -> Iterator[Connection]:
        with self._guard:
            if not self._session.connected:
                raise LeaseLost(f"{self._what} was lost: its session has ended")
            try:
                with lend() as connection:
                    yield connection
            except StateUnavailable as error:
                raise LeaseLost(f"{self._what} was lost: {error.message}") from error
