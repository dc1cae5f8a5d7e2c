"""Writers that do to a table what applications do, and what they had better not."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from tests.chaos.change import Change, Changes, Stamp
from tests.chaos.journal import Journal, Transaction

#: Statements that wait for another writer's lock give up, and their transaction with them.
OPTIONS = "-c lock_timeout=300 -c client_min_messages=error -c timezone=America/New_York"


@dataclass(frozen=True, slots=True)
class Habits:
    """How a scenario's writers write."""

    stamp: Stamp
    hard_deletes: bool
    #: Between two transactions, at most.
    pause_seconds: float
    spoil: float = 0.005
    related: bool = False


@dataclass(frozen=True, slots=True)
class _Prepared:
    name: str
    transaction: Transaction
    due: float
    commit: bool


class Writer(threading.Thread):
    """Writes on a connection of its own until it is told to stop; survives a database that goes away."""

    def __init__(self, url: str, number: int, seed: str, habits: Habits, journal: Journal) -> None:
        super().__init__(daemon=True, name=f"writer-{number}")
        self._url = url
        self._chance = random.Random(f"{seed} writer {number}")
        self._changes = Changes(
            self._chance,
            number,
            habits.stamp,
            hard_deletes=habits.hard_deletes,
            spoil=habits.spoil,
            related=habits.related,
        )
        self._pause_seconds = habits.pause_seconds
        self._journal = journal
        self._stopping = threading.Event()
        self._count = 0
        self._prepared: list[_Prepared] = []
        self._shapes: list[tuple[Callable[[psycopg.Connection, Transaction], str], int]] = [
            (self._single, 40),
            (self._several, 20),
            (self._late, 10),
            (self._rolled_back, 6),
            (self._savepoint, 6),
            (self._two_phases, 6),
            (self._one_message, 4),
            (self._chained, 4),
            (self._copied, 2),
            (self._reading, 3),
        ]
        #: What ended this writer, if anything did.
        self.error: BaseException | None = None

    def stop(self) -> None:
        """Ask it to stop after the transaction it is in."""
        self._stopping.set()

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                with suppress(psycopg.OperationalError), self._connected() as connection:
                    while not self._stopping.wait(self._chance.uniform(0, self._pause_seconds)):
                        self._write(connection)
                        self._end_prepared(connection, time.monotonic())
                self._stopping.wait(0.1)
            self._finish()
        except BaseException as error:
            self.error = error

    def _finish(self) -> None:
        """End what is prepared: the last writes of a scenario."""
        deadline = time.monotonic() + 60
        while self._prepared:
            assert time.monotonic() < deadline, "the database does not come back"
            with suppress(psycopg.OperationalError), self._connected() as connection:
                self._end_prepared(connection, float("inf"))
            time.sleep(0.1)

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(self._url, autocommit=True, options=OPTIONS, connect_timeout=10)

    def _write(self, connection: psycopg.Connection) -> None:
        shapes, weights = zip(*self._shapes, strict=True)
        (shape,) = self._chance.choices(shapes, weights)
        self._count += 1
        transaction = Transaction(self.name, self._count, shape.__name__.strip("_"))
        try:
            end = shape(connection, transaction)
        except psycopg.Error as error:
            # Of a commit whose answer is lost nobody knows what became of it.
            end = f"unknown: {error!r:.60}" if connection.closed else f"failed: {error!r:.60}"
            self._journal.ended(transaction, end)
            if connection.closed:
                raise psycopg.OperationalError from error
            connection.execute("ROLLBACK")
            return
        self._journal.ended(transaction, end)

    def _calm(self) -> bool:
        """Half of the time nobody keeps a transaction open, so that no rescan after one heals what was lost."""
        return self._journal.seconds % 3 > 1.4

    def _think(self, shortest: float, longest: float) -> None:
        if not self._calm():
            time.sleep(self._chance.uniform(shortest, longest))

    def _send(self, connection: psycopg.Connection, transaction: Transaction, change: Change | None = None) -> None:
        change = change or self._changes.any()
        self._journal.note(transaction, change.what, change.revision, change.keys)
        connection.execute(change.sql.encode())

    def _single(self, connection: psycopg.Connection, transaction: Transaction) -> str:
        self._send(connection, transaction)
        return "committed"

    def _several(self, connection: psycopg.Connection, transaction: Transaction) -> str:
        connection.execute("BEGIN")
        for _ in range(self._chance.randint(1, 4)):
            self._send(connection, transaction)
        connection.execute("COMMIT")
        return "committed"

    def _late(self, connection: psycopg.Connection, transaction: Transaction) -> str:
        connection.execute("BEGIN")
        if self._chance.random() < 0.5:
            self._think(0.1, 1)
        self._send(connection, transaction)
        self._think(0.1, 5 if self._chance.random() < 0.1 else 1.5)
        if self._chance.random() < 0.5:
            self._send(connection, transaction)
        connection.execute("COMMIT")
        return "committed"

    def _rolled_back(self, connection: psycopg.Connection, transaction: Transaction) -> str:
        connection.execute("BEGIN")
        self._send(connection, transaction)
        self._think(0, 0.4)
        connection.execute("ROLLBACK")
        return "rolled back"

    def _savepoint(self, connection: psycopg.Connection, transaction: Transaction) -> str:
        connection.execute("BEGIN")
        self._send(connection, transaction)
        connection.execute("SAVEPOINT s")
        self._send(connection, transaction)
        self._think(0, 0.4)
        connection.execute("ROLLBACK TO s")
        self._send(connection, transaction)
        connection.execute("COMMIT")
        return "committed, the second statement rolled back"

    def _two_phases(self, connection: psycopg.Connection, transaction: Transaction) -> str:
        name = f"{self.name}-{self._chance.getrandbits(64):x}"
        connection.execute("BEGIN")
        self._send(connection, transaction)
        commit = self._chance.random() < 0.7
        due = time.monotonic() + (0 if self._calm() else self._chance.uniform(0, 3))
        # Known before it is there: of a PREPARE whose answer is lost nobody knows whether it happened.
        self._prepared.append(_Prepared(name, transaction, due, commit))
        connection.execute(f"PREPARE TRANSACTION '{name}'".encode())
        return "prepared"

    def _end_prepared(self, connection: psycopg.Connection, now: float) -> None:
        for prepared in [each for each in self._prepared if each.due <= now]:
            verb = "COMMIT" if prepared.commit else "ROLLBACK"
            with suppress(psycopg.errors.UndefinedObject):
                connection.execute(f"{verb} PREPARED '{prepared.name}'".encode())
            self._journal.ended(prepared.transaction, f"prepared, then {verb.lower()}")
            self._prepared.remove(prepared)

    def _one_message(self, connection: psycopg.Connection, transaction: Transaction) -> str:
        """Two transactions in one message: `now()` of the second one is older than the second one."""
        first, second = self._changes.any(), self._changes.any()
        for change in (first, second):
            self._journal.note(transaction, change.what, change.revision, change.keys)
        seconds = 0 if self._calm() else self._chance.uniform(0.1, 2)
        connection.execute(
            f"BEGIN; {first.sql}; SELECT pg_sleep({seconds:.3f}); COMMIT; BEGIN; {second.sql}; COMMIT".encode()
        )
        return "committed"

    def _chained(self, connection: psycopg.Connection, transaction: Transaction) -> str:
        connection.execute("BEGIN")
        self._send(connection, transaction)
        self._think(0, 0.6)
        end = self._chance.choice(["COMMIT", "ROLLBACK"])
        connection.execute(f"{end} AND CHAIN".encode())
        self._think(0, 0.6)
        self._send(connection, transaction)
        connection.execute("COMMIT")
        return f"{end.lower()} and chain, committed"

    def _copied(self, connection: psycopg.Connection, transaction: Transaction) -> str:
        change, data = self._changes.copied()
        self._journal.note(transaction, change.what, change.revision, change.keys)
        with connection.cursor() as cursor, cursor.copy(change.sql.encode()) as copy:
            copy.write(data)
        return "committed"

    def _reading(self, connection: psycopg.Connection, transaction: Transaction) -> str:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM public.item")
        self._think(0.5, 1.5)
        connection.execute("COMMIT")
        return "committed"
