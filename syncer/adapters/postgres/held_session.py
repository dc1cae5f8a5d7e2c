"""A session that holds something: the lease of an index, or its backfill."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.session import LASTING_SETTINGS, STATE_SETTINGS, Session, sqlstate
from syncer.core.error import ConfigurationError, LeaseHeld, LeaseLost, StateUnavailable, SyncerError

HELD_SETTINGS = {**STATE_SETTINGS, **LASTING_SETTINGS}

#: How often the holder uses its session, if for nothing else.
BEAT_SECONDS = 2.0
#: A session that was idle for so long belongs to a process that is frozen, or to a machine that vanished behind a
#: proxy: the kernel or the proxy answers keepalives for them. Four beats, so that a busy machine is not taken for one.
FROZEN_SECONDS = 8.0
#: How long a session may take to end that was told to.
_END_SECONDS = 2.0
_ASK_SECONDS = 0.05

Lend = Callable[[], AbstractContextManager[Connection]]


class HeldSession:
    """Holds an advisory lock for as long as its connection lasts, and never connects again. Safe for several threads.

    All that only the holder may do is done on this session: with the lock, the means to do it are gone. A thread keeps
    the session from being idle, by which others tell that this process lives; it finds out early that it was lost.
    """

    def __init__(self, session: Session, lock: AdvisoryLock, what: str) -> None:
        """session: with HELD_SETTINGS, for this alone. what: the thing that is held, for messages."""
        self._session = session
        self._lock = lock
        self._what = what
        self._guard = threading.RLock()
        self._released = threading.Event()
        self._ended = "its session has ended"

    def take(self, another: Lend) -> None:
        """Connect and take the lock, also from a process that is frozen. `another` opens a transaction on another
        session.

        Raises LeaseHeld with the holder, StateUnavailable, and ConfigurationError behind a transaction-pooling proxy.
        """
        try:
            with self._session.use() as connection:
                if not self._lock.try_for_session(connection) and not self._take_over(connection):
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
        threading.Thread(target=self._beat, name=f"beat of {self._what}", daemon=True).start()

    @property
    def held(self) -> bool:
        """Tell whether the lock is still held, as far as the last beat knows."""
        return self._session.connected

    def use(self) -> AbstractContextManager[Connection]:
        """Lend the connection. Raises LeaseLost where it is gone."""
        return self._lend(self._session.use)

    def transaction(self) -> AbstractContextManager[Connection]:
        """Lend the connection for one transaction. Raises LeaseLost where it is gone."""
        return self._lend(self._session.transaction)

    def release(self) -> None:
        """Give the lock back and disconnect. Never raises."""
        self._released.set()
        with self._guard:
            with suppress(SyncerError), self.use() as connection:
                self._lock.give_back(connection)
            self._session.close()

    def _take_over(self, connection: Connection) -> bool:
        """Take the lock from a holder that is frozen; False where it is not, or others were faster."""
        try:
            if not self._lock.end_idle_holder(connection, FROZEN_SECONDS):
                return False
        except DBAPIError as error:
            if sqlstate(error) != "42501":
                raise
            raise LeaseHeld(
                f"{self._what} is held by a process that is frozen ({self._lock.holder(connection)}), "
                "and this role may not end its session",
                hint="kill that process; or, as a role that may, SELECT pg_terminate_backend(pid) in the state "
                "database; or let all of them log in as one role",
            ) from error
        for _ in range(round(_END_SECONDS / _ASK_SECONDS)):
            if self._lock.try_for_session(connection):
                return True
            self._released.wait(_ASK_SECONDS)
        return False

    def _beat(self) -> None:
        while not self._released.wait(BEAT_SECONDS):
            # Whoever uses the session touches it.
            if not self._guard.acquire(blocking=False):
                continue
            try:
                self._prove()
            except SyncerError:
                if not self._session.connected:
                    return
            finally:
                self._guard.release()

    def _prove(self) -> None:
        """See that the lock is still this session's: a proxy may have been put in between."""
        with self.use() as connection:
            mine = self._lock.is_mine(connection)
        if not mine:
            self._ended = "its session no longer has the lock"
            self._session.close()

    @contextmanager
    def _lend(self, lend: Lend) -> Iterator[Connection]:
        with self._guard:
            if not self._session.connected:
                raise LeaseLost(f"{self._what} was lost: {self._ended}")
            try:
                with lend() as connection:
                    yield connection
            except StateUnavailable as error:
                self._ended = error.message
                raise LeaseLost(f"{self._what} was lost: {error.message}") from error
