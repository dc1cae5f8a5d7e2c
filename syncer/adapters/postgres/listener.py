"""Hears of commits that triggers tell of, so that polls need not wait for their time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Set

import psycopg
from sqlalchemy import text

from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.wakeup_triggers import CHANNEL
from syncer.core.error import SourceUnavailable, SyncerError
from syncer.core.retry import backoff_seconds
from syncer.core.table import Table
from syncer.ports import Alarm, Clock

#: How often the thread looks whether it is still needed.
_LOOK_SECONDS = 1.0
#: A connection that has heard nothing for so long is made anew. Behind a proxy nobody tells that the server is gone,
#: and proxies end what is idle for a minute. Rejected: a statement from time to time, which would wait there for ever.
_SILENT_SECONDS = 30.0


class Listener:
    """A connection that listens for as long as somebody is to be woken; safe for several threads.

    One for all pipelines of a process, on a daemon thread: nothing waits for its end. It never gives up, whatever the
    server says: polls go on without it.
    """

    def __init__(
        self,
        session: Session,
        clock: Clock,
        *,
        lost: Callable[[SyncerError], None],
        back: Callable[[], None],
        silent_seconds: float = _SILENT_SECONDS,
    ) -> None:
        """session: for this alone, with LASTING_SETTINGS. lost, back: told once each time the connection is.
        silent_seconds: how long it is trusted without a word."""
        self._session = session
        self._clock = clock
        self._lost = lost
        self._back = back
        self._silent_seconds = silent_seconds
        self._heard_at = clock.monotonic()
        self._guard = threading.Lock()
        self._tables: dict[Alarm, Collection[str]] = {}
        self._thread: threading.Thread | None = None

    def begin(self, alarm: Alarm, tables: Collection[str]) -> None:
        """Ring it for each commit that changes one of the tables. Never raises."""
        with self._guard:
            self._tables[alarm] = tables
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="wakeups", daemon=True)
                self._thread.start()

    def end(self, alarm: Alarm) -> None:
        """Ring it no more. Never raises."""
        with self._guard:
            self._tables.pop(alarm, None)

    def _run(self) -> None:
        attempt = 0
        while self._needed():
            try:
                if not self._session.connected:
                    self._listen()
                tables = self._heard()
                if attempt:
                    self._back()
                attempt = 0
                if tables:
                    self._heard_at = self._clock.monotonic()
                    self._ring(tables)
                elif self._clock.monotonic() - self._heard_at >= self._silent_seconds:
                    self._session.close()
            except SyncerError as error:
                self._session.close()
                attempt += 1
                if attempt == 1:
                    self._lost(error)
                self._clock.wait(backoff_seconds(attempt, random.random))

    def _needed(self) -> bool:
        with self._guard:
            if self._tables and not self._clock.stopping():
                return True
            self._session.close()
            self._thread = None
            return False

    def _listen(self) -> None:
        with self._session.use() as connection:
            connection.execute(text(f"LISTEN {CHANNEL}"))
        self._heard_at = self._clock.monotonic()
        # What was committed before may have been told to nobody.
        self._ring(None)

    def _heard(self) -> Set[str]:
        with self._session.use() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            try:
                return {found.payload for found in driver.notifies(timeout=_LOOK_SECONDS, stop_after=1)}
            except psycopg.Error as error:
                # SQLAlchemy has no notifications, and does not translate what the driver raises here.
                reason = str(error).strip().partition("\n")[0]
                raise SourceUnavailable(f"{self._session.setting}: {reason}") from error

    def _ring(self, tables: Set[str] | None) -> None:
        """Wake those who follow one of the tables; None: everybody."""
        # One time for all: who observes the source first does so for the others too.
        at = self._clock.monotonic()
        with self._guard:
            for alarm, followed in self._tables.items():
                if tables is None or not tables.isdisjoint(followed):
                    alarm.ring(at)


class PostgresWakeups:
    """Implements `Wakeups` for one pipeline."""

    def __init__(self, listener: Listener, tables: Collection[Table]) -> None:
        self._listener = listener
        self._tables = frozenset(map(str, tables))

    def begin(self, alarm: Alarm) -> None:
        self._listener.begin(alarm, self._tables)

    def end(self, alarm: Alarm) -> None:
        self._listener.end(alarm)
