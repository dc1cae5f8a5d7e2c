"""The lease of an index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from syncer.adapters.postgres.fan_out_store import FanOutStore
from syncer.adapters.postgres.held_session import HeldSession
from syncer.adapters.postgres.index_records import IndexRecords
from syncer.adapters.postgres.index_row import to_row
from syncer.adapters.postgres.settlement_store import SettlementStore
from syncer.adapters.postgres.tables import Tables
from syncer.adapters.postgres.version_sequence import VersionSequence
from syncer.core.error import LeaseLost
from syncer.core.fan_out import FanOut
from syncer.core.index import IndexIdentity, Phase
from syncer.core.settlement import Checkpoint, Settlement
from syncer.core.source_state import SourceIdentity
from syncer.ports import Lease


class PostgresLease:
    """Implements `Lease`: a session that holds the index's lock, and the epoch that began with it.

    Numbers and commits are fenced twice. They are made on the session that holds the lock, so they end with it; and
    they look at the epoch, so that they end even where a proxy or a mistake has made the lock worthless.
    """

    def __init__(self, held: HeldSession, tables: Tables, settlements: SettlementStore, index: str) -> None:
        """Begin the next epoch. Raises LeaseLost where the index is not registered (any more)."""
        self._held = held
        self._tables = tables
        self._records = IndexRecords(tables)
        self._settlements = settlements
        self._fan_outs = FanOutStore(tables)
        self._sequence = VersionSequence(str(tables.metadata.schema))
        self.index = index
        indices = tables.indices
        begin = update(indices).where(indices.c.name == index).values(epoch=indices.c.epoch + 1)
        with held.use() as connection:
            self._sequence.raise_to_clock(connection)
            epoch = connection.scalar(begin.returning(indices.c.epoch))
            backend = connection.scalar(select(func.pg_backend_pid()))
        if epoch is None:
            raise LeaseLost(f"the state of index {index} was deleted by somebody else")
        self.epoch = int(epoch)
        self._draw = select(self._sequence.next).where(
            indices.c.name == index, indices.c.epoch == self.epoch, func.pg_backend_pid() == backend
        )

    def draw(self) -> int:
        with self._held.use() as connection:
            number = connection.scalar(self._draw)
        if number is None:
            raise self._lost()
        return int(number)

    def raise_above(self, version: int) -> None:
        with self._held.use() as connection:
            self._sequence.raise_above(connection, version)

    def checkpoints(self) -> Mapping[str, Checkpoint]:
        with self._fenced() as connection:
            return self._settlements.checkpoints(connection, self.index)

    def fan_out(self) -> FanOut | None:
        with self._fenced() as connection:
            return self._fan_outs.first(connection, self.index)

    def commit(self, settlement: Settlement) -> int:
        with self._fenced() as connection:
            return self._settlements.settle(connection, self.index, settlement)

    def update(
        self,
        *,
        phase: Phase | None = None,
        fingerprint: Mapping[str, str] | None = None,
        identity: IndexIdentity | None = None,
        source: SourceIdentity | None = None,
        verify_needed: str | None = None,
        definition: Mapping[str, Any] | None = None,
        filling: bool | None = None,
        superseded: Sequence[str] | None = None,
    ) -> None:
        changed = to_row(
            phase=phase,
            fingerprint=fingerprint,
            identity=identity,
            source=source,
            verify_needed=verify_needed,
            definition=definition,
            filling=filling,
            superseded=superseded,
        )
        indices = self._tables.indices
        with self._fenced() as connection:
            if changed:
                connection.execute(update(indices).where(indices.c.name == self.index).values(changed))

    def succeed(self, old: Lease | None, at: datetime) -> None:
        assert old is None or isinstance(old, PostgresLease)
        with self._held.transaction() as connection:
            # Nobody else locks two rows; so no order among them is needed, only this lock before them.
            self._records.lock(connection)
            self._fence(connection)
            if old is not None:
                # Of the old lease the epoch is enough, and its session, which another transaction would have to ask,
                # need not be alive. Who takes that lease next has to change this row first, to begin an epoch: either
                # that was before, and is seen here, or it waits for this transaction, and then reads of an index that
                # is kept. Where nobody takes it, nobody writes: with its session the old holder has lost the means.
                old._fence(connection)
            self._records.succeed(connection, self.index, old.index if old else None, at)

    def prove(self) -> None:
        indices = self._tables.indices
        with self._held.use() as connection:
            if connection.scalar(select(indices.c.epoch).where(indices.c.name == self.index)) != self.epoch:
                raise self._lost()

    def release(self) -> None:
        self._held.release()

    @contextmanager
    def _fenced(self) -> Iterator[Connection]:
        """Lend the connection for a transaction in which no other epoch can begin."""
        with self._held.transaction() as connection:
            self._fence(connection)
            yield connection

    def _fence(self, connection: Connection) -> None:
        """See that the epoch lasts until the transaction ends, which may be that of another index's lease."""
        if not self._settlements.lock(connection, self.index, self.epoch):
            raise self._lost()

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"the lease of index {self.index} was lost: its epoch {self.epoch} is over")
