"""What triggers have noted of a related table, as the keys of the documents that its rows were part of."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, cast, func, select

from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.sql import SqlType
from syncer.adapters.postgres.tombstone_table import TombstoneTable, position_of, read_castable
from syncer.adapters.postgres.way_back import Pair, WayBack, documents_of, feed_name, page_of
from syncer.core.change import WHOLE_TABLE, Page
from syncer.core.fan_out import FanOut
from syncer.core.key import Key
from syncer.core.position import Position
from syncer.core.relation import Join
from syncer.core.table import Table

#: A tombstone's place in its page, and the values that it leads on by.
_Listed = tuple[int, Key]


class PostgresRelatedTombstones:
    """Implements `RelatedFeed` on what `TombstoneTriggers` note of a table that documents reach by joins.

    `TombstoneTable` prunes it: several feeds may read what is noted of one table.
    """

    def __init__(self, session: Session, root: Table, joins: Sequence[Join], schema: str) -> None:
        """joins: from the root to the table, which is the last one's. schema: of the tombstones."""
        self._session = session
        self._way = WayBack(root, joins)
        self._tombstones = TombstoneTable(session, self._way.table, schema, "columns")

    @property
    def name(self) -> str:
        return f"{self._tombstones.name} by {self._way}"

    @property
    def way(self) -> str:
        return feed_name(self._way.root, self._way.joins)

    @property
    def reads(self) -> Hashable:
        return self._tombstones.name, self._way.identity

    @property
    def watermark_zone(self) -> str | None:
        return None

    def first(self) -> Select[Any]:
        """Return the SELECT of the first tombstone, for a glance; without triggers, of whether there are some now."""
        return self._tombstones.first()

    def parameter(self, watermark: datetime) -> datetime:
        """Return what a statement is given for a watermark."""
        return watermark

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        """Return up to so many changes from `start`, none above `until`; an empty page where there are no triggers.

        A tombstone that leads to no document takes a place in the page, and is no change: by values that no row has, by
        a NULL, by what is no value of the column any more, or by a column that was not noted.
        """
        with self._session.use() as connection:
            found = self._tombstones.read(connection, start, until, rows + 1)
            values = {place: noted for place, row in enumerate(found) if (noted := self._noted(row))}
            documents = self._documents(connection, list(values.items()), rows)
        pairs = []
        for place, row in enumerate(found):
            keys: Sequence[Key | None] = [WHOLE_TABLE] if not row.key else documents.get(place) or [None]
            pairs += [Pair(position_of(row), "", values.get(place, ()), key, truncated=row.key is None) for key in keys]
        return page_of(pairs[: rows + 1], rows)

    def documents(self, fan_out: FanOut, rows: int) -> Sequence[Key]:
        """Return up to so many keys that are in reach of a fan-out, in order."""
        return documents_of(self._session, self._way, fan_out, rows)

    def _noted(self, row: Row[Any]) -> Key | None:
        noted = row.columns or {}
        values = [noted[name] for name in self._way.columns if noted.get(name) is not None]
        return tuple(values) if len(values) == len(self._way.columns) else None

    def _documents(self, connection: Connection, listed: Sequence[_Listed], rows: int) -> dict[int, list[Key]]:
        """Return the documents by place: all of them where they are not more than `rows`, else the first ones."""

        def read(listed: Sequence[_Listed]) -> Sequence[tuple[int, Key]]:
            columns = zip(*(values for _, values in listed), strict=True)
            lists = {f"value_{i}": list(texts) for i, texts in enumerate(columns, 1)}
            found = connection.execute(_pairs(self._way, rows), lists).all()
            return [(listed[row.place - 1][0], tuple(row[:-1])) for row in found if row[0] is not None]

        documents: dict[int, list[Key]] = {}
        for place, key in read_castable(read, listed):
            documents.setdefault(place, []).append(key)
        return documents


def _pairs(way: WayBack, rows: int) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of the documents of listed values, and the place of the values in the lists."""
    names = [f"value_{i + 1}" for i in range(len(way.columns))]
    lists = [bindparam(name, type_=SqlType("text[]")) for name in names]
    listed = func.unnest(*lists).table_valued(*names, with_ordinality="place").render_derived(name="listed")
    # One by one, not as lists of the column's type: unnest() would take arrays apart.
    values = [
        cast(listed.c[name], SqlType(way.table.columns[column].sql_type)).label(f"on_{i}")
        for i, (name, column) in enumerate(zip(names, way.columns, strict=True), 1)
    ]
    changed = select(*values, listed.c.place).order_by(listed.c.place).subquery("changed")
    return way.pairs(changed, rows).add_columns(changed.c.place)
