"""A related table's changes, as the keys of the documents that they are part of."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Subquery, column, select
from sqlalchemy import tuple_ as row_of

from syncer.adapters.postgres.feed import watermark_parameter, watermark_value
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.sql import (
    key_bound,
    key_of,
    key_parts,
    key_texts,
    key_values,
    number,
    qualified_columns,
    readable,
    relation,
    text_of,
)
from syncer.adapters.postgres.way_back import Pair, WayBack, documents_of, feed_name, page_of
from syncer.core.change import Page
from syncer.core.fan_out import FanOut
from syncer.core.key import Key
from syncer.core.position import Position
from syncer.core.relation import Join
from syncer.core.table import Table


class PostgresRelatedFeed:
    """Implements `RelatedFeed` on a table with a watermark that documents reach by joins.

    A row leads to the documents that it is part of now. Those that it was part of before, tombstones tell.
    """

    def __init__(self, session: Session, root: Table, joins: Sequence[Join]) -> None:
        """joins: from the root to the table, which is the last one's."""
        self._session = session
        self._way = WayBack(root, joins)
        self._table = self._way.table

    @property
    def name(self) -> str:
        return feed_name(self._way.root, self._way.joins)

    @property
    def way(self) -> str:
        return self.name

    @property
    def reads(self) -> Hashable:
        return self._way.identity

    @property
    def watermark_zone(self) -> str | None:
        return self._table.watermark_zone

    def first(self) -> Select[Any]:
        """Return the SELECT of the first row that changed, for a glance: it may be part of no document."""
        return select(_changed(self._way, 1, after_key=False))

    def parameter(self, watermark: datetime) -> datetime:
        """Return what a statement is given for a watermark."""
        return watermark_value(self._table, watermark)

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        """Return up to so many changes from `start`, none above `until`, by watermark, related row and document.

        A row that is part of no document takes a place in the page, and is no change.
        """
        values: dict[str, Any] = {
            "start": watermark_value(self._table, start.watermark),
            "until": watermark_value(self._table, until),
        }
        values |= key_values("after", start.key or ())
        statement = _page(self._way, rows, after_key=start.key is not None)
        with self._session.use() as connection:
            found = connection.execute(statement, values).all()
        return page_of([self._pair(row) for row in found], rows)

    def documents(self, fan_out: FanOut, rows: int) -> Sequence[Key]:
        """Return up to so many keys that are in reach of a fan-out, in order."""
        return documents_of(self._session, self._way, fan_out, rows)

    def _pair(self, row: Row[Any]) -> Pair:
        parts = len(self._way.root.key)
        document, rest = row[:parts], row[parts:]
        return Pair(
            position=Position(row.watermark.replace(tzinfo=UTC), key_of(rest, self._table)),
            row_version=row.row_version,
            values=tuple(rest[len(self._table.key) : -2]),
            document=None if document[0] is None else tuple(document),
        )


def readable_page(root: Table, joins: Sequence[Join], rows: int) -> str:
    """Return the SELECT of a page that begins behind a row, as people read it."""
    return readable(_page(WayBack(root, joins), rows, after_key=True))


def readable_documents(root: Table, joins: Sequence[Join], rows: int) -> str:
    """Return the SELECT of a portion of a row's documents, as people read it."""
    return readable(WayBack(root, joins).portion(rows, after=True, through=True))


def _page(way: WayBack, rows: int, *, after_key: bool) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of one page: documents, and of their rows the key, the values, watermark and version."""
    # One more: where that one has the key of the row before, which is unique unless check complains, both are left to
    # the next page.
    changed = _changed(way, rows + 1, after_key=after_key)
    return way.pairs(changed, rows).add_columns(
        *[changed.c[f"key_{i + 1}"] for i in range(len(way.table.key))],
        *[text_of(changed.c[f"on_{i + 1}"]).label(f"value_{i + 1}") for i in range(len(way.columns))],
        changed.c.watermark,
        changed.c.row_version,
    )


def _changed(way: WayBack, rows: int, *, after_key: bool) -> Subquery:
    """Return so many related rows, in order: an index on watermark and key answers it."""
    table = way.table
    columns = qualified_columns(table)
    parts, watermark = key_parts(table, columns), columns[table.watermark_column.name]
    start = watermark_parameter(table, "start")
    above: ColumnElement[bool] = watermark >= start
    if after_key:
        above = row_of(watermark, *parts) > row_of(start, *key_bound(table, "after"))
    return (
        select(
            *key_texts(table, columns),
            *[columns[name].label(f"on_{i}") for i, name in enumerate(way.columns, 1)],
            watermark.label("watermark"),
            text_of(column("xmin")).label("row_version"),
        )
        .select_from(relation(table))
        .where(above, watermark <= watermark_parameter(table, "until"))
        .order_by(watermark, *parts)
        .limit(number(rows))
        .subquery("changed")
    )
