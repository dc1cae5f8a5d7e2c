"""What triggers have noted of rows that are gone from the root table, as a feed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from syncer.adapters.postgres.feed import identity
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.sql import key_list_values, key_lists, text_of
from syncer.adapters.postgres.tombstone_table import TombstoneTable, position_of, read_castable
from syncer.core.change import WHOLE_TABLE, Change, Page
from syncer.core.key import Key
from syncer.core.position import Position
from syncer.core.table import Table


class PostgresTombstones:
    """Implements `ChangeFeed` and `Tombstones` on what `TombstoneTriggers` note of one table.

    The triggers may be installed and removed while it is read.
    """

    def __init__(self, session: Session, source: Table, schema: str, *, by_columns: bool = False) -> None:
        """schema: of the tombstones. by_columns: the key is read out of the columns that are noted besides."""
        self._session = session
        self._source = source
        self._by_columns = by_columns
        self._tombstones = TombstoneTable(session, source, schema, "columns" if by_columns else "routing")

    @property
    def name(self) -> str:
        return self._tombstones.name

    @property
    def reads(self) -> Hashable:
        return self.name, self._by_columns, bool(self._source.routing), identity(self._source)

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

        A key that was noted before the key's columns changed may be none any more. It is left out: a tombstone is a
        hint, and what it meant then no document is called by now.
        """
        with self._session.use() as connection:
            found = self._tombstones.read(connection, start, until, rows)
            keys = self._keys(connection, found)
        changes = tuple(self._change(row, key) for row, key in zip(found, keys, strict=True) if key is not None)
        # Of what was found, not of what is left of it.
        return Page(changes, position_of(found[-1]) if len(found) == rows else None)

    def prune(self, before: datetime, rows: int) -> int:
        """Delete up to so many that were stamped before; return how many."""
        return self._tombstones.prune(before, rows)

    def _change(self, row: Row[Any], key: Key) -> Change:
        at = position_of(row)
        # An earlier configuration may have had a routing. A tombstone is never changed, and so has no row version.
        routing = row.routing if self._source.routing else None
        return Change(key, at.watermark, "", row=at.key, routing=routing, truncated=row.key is None)

    def _keys(self, connection: Connection, rows: Sequence[Row[Any]]) -> Sequence[Key | None]:
        """Return each row's key as the table writes it now, and None where it cannot be one."""
        parts = len(self._source.key)
        noted = [self._noted(row) for row in rows]
        possible = {key for key in noted if key is not None and len(key) == parts and None not in key}
        written = self._written(connection, list(possible))
        return [WHOLE_TABLE if key is None else written.get(key) for key in noted]

    def _noted(self, row: Row[Any]) -> tuple[Any, ...] | None:
        """Return the key that a tombstone names, perhaps of other parts, or lacking some; None: of the whole table."""
        if not row.key:
            return None
        return tuple(map((row.columns or {}).get, self._source.key)) if self._by_columns else tuple(row.key)

    def _written(self, connection: Connection, keys: Sequence[Key]) -> Mapping[Key, Key]:
        def written(keys: Sequence[Key]) -> Sequence[tuple[Key, Key]]:
            found = connection.execute(_cast(self._source), key_list_values(self._source, keys)).all()
            return [(key, tuple(row)) for key, row in zip(keys, found, strict=True)]

        return dict(read_castable(written, keys))


def _cast(source: Table) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of the keys in `key_lists` as text, in their order."""
    names = [f"key_{i + 1}" for i in range(len(source.key))]
    listed = func.unnest(*key_lists(source)).table_valued(*names, with_ordinality="place").render_derived(name="listed")
    return select(*(text_of(listed.c[name]) for name in names)).order_by(listed.c.place)
