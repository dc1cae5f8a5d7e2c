"""What remains of an index's backfill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from syncer.adapters.postgres.held_session import HeldSession
from syncer.adapters.postgres.settlement_store import SettlementStore
from syncer.adapters.postgres.tables import Tables
from syncer.core.error import LeaseLost
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.settlement import Settlement


class PostgresBackfillProgress:
    """Implements `BackfillProgress`: every statement runs on the session that holds the backfill."""

    def __init__(self, held: HeldSession, tables: Tables, settlements: SettlementStore, index: str) -> None:
        self._held = held
        self._table = tables.backfill_ranges
        self._settlements = settlements
        self._index = index

    def ranges(self) -> Sequence[KeyRange]:
        rows = select(self._table).where(self._table.c.index == self._index).order_by(self._table.c.number)
        with self._held.use() as connection:
            return [_from_row(row) for row in connection.execute(rows)]

    def plan(self, ranges: Sequence[KeyRange]) -> None:
        with self._held.transaction() as connection:
            self._lock(connection)
            connection.execute(delete(self._table).where(self._table.c.index == self._index))
            if ranges:
                connection.execute(insert(self._table), [{"index": self._index, **_to_row(part)} for part in ranges])

    def advance(self, range_: KeyRange, settlement: Settlement) -> int:
        assert not settlement.checkpoints
        of_this = (self._table.c.index == self._index) & (self._table.c.number == range_.number)
        with self._held.transaction() as connection:
            if self._settlements.changes(connection, self._index, settlement):
                self._lock(connection)
                open_now = self._settlements.settle(connection, self._index, settlement)
            else:
                open_now = self._settlements.count(connection, self._index)
            if connection.execute(update(self._table).where(of_this).values(_to_row(range_))).rowcount != 1:
                raise LeaseLost(f"the backfill of index {self._index} was planned anew, or its state deleted")
            return open_now

    def finish(self) -> None:
        self.plan(())

    def release(self) -> None:
        self._held.release()

    def _lock(self, connection: Connection) -> None:
        if not self._settlements.lock(connection, self._index):
            raise LeaseLost(f"the state of index {self._index} was deleted by somebody else")


def _to_row(part: KeyRange) -> Mapping[str, Any]:
    return {
        "number": part.number,
        "after": _array(part.after),
        "through": _array(part.through),
        "rows": part.rows,
        "position": _array(part.position),
        "in_flight": [list(key) for key in part.in_flight],
        "settled_rows": part.settled_rows,
        "done": part.done,
    }


def _from_row(row: Row[Any]) -> KeyRange:
    return KeyRange(
        row.number,
        _key(row.after),
        _key(row.through),
        row.rows,
        _key(row.position),
        tuple(tuple(key) for key in row.in_flight),
        row.settled_rows,
        row.done,
    )


def _array(key: Key | None) -> list[str] | None:
    return None if key is None else list(key)


def _key(array: Sequence[str] | None) -> Key | None:
    return None if array is None else tuple(array)
