"""Fan-outs as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, null, select
from sqlalchemy.dialects.postgresql import insert

from syncer.adapters.postgres.tables import Tables, digest
from syncer.core.fan_out import FanOut
from syncer.core.settlement import Settlement


class FanOutStore:
    """Reads and writes what is left of fan-outs, on any connection; one process at a time changes those of an index."""

    def __init__(self, tables: Tables) -> None:
        self._rows = tables.fan_outs

    def first(self, connection: Connection, index: str) -> FanOut | None:
        """Return the fan-out that has waited longest."""
        columns = self._rows.c
        first = select(self._rows).where(columns.index == index).order_by(columns.waits_since, columns.digest).limit(1)
        row = connection.execute(first).one_or_none()
        if row is None:
            return None
        after, through, again = (None if key is None else tuple(key) for key in (row.after, row.through, row.again))
        return FanOut(row.way, tuple(row.reached_by), after, through, again)

    def count(self, connection: Connection, index: str) -> int:
        """Return how many there are."""
        return connection.scalar(select(func.count()).where(self._rows.c.index == index)) or 0

    def settle(self, connection: Connection, index: str, settlement: Settlement) -> None:
        """Store what a settlement says of fan-outs."""
        ended = [_digest(was) for was, left in settlement.fanned_out.items() if left is None]
        if ended:
            columns = self._rows.c
            connection.execute(delete(self._rows).where(columns.index == index, columns.digest.in_(ended)))
        new = insert(self._rows).excluded
        went_on = {name: new[name] for name in ("after", "through", "again", "waits_since")}
        self._write(connection, index, [left for left in settlement.fanned_out.values() if left], went_on)
        # As `FanOut.begun_again` has it.
        begun_again = {"through": null(), "again": self._rows.c.after}
        self._write(connection, index, settlement.begun, begun_again)

    def _write(
        self, connection: Connection, index: str, fan_outs: Sequence[FanOut], where_known: Mapping[str, Any]
    ) -> None:
        if not fan_outs:
            return
        statement = insert(self._rows).on_conflict_do_update(index_elements=["index", "digest"], set_=where_known)
        rows = [
            {
                "index": index,
                "digest": _digest(each),
                "way": each.way,
                "reached_by": list(each.reached_by),
                "after": each.after,
                "through": each.through,
                "again": each.again,
            }
            for each in fan_outs
        ]
        connection.execute(statement.values(waits_since=func.clock_timestamp()), rows)


def _digest(fan_out: FanOut) -> bytes:
    return digest((fan_out.way, *fan_out.reached_by))
