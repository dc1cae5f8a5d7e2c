"""A related table's changes, as the keys of the documents that they are part of.

A row may be part of hundreds of thousands of documents. A page goes on within them, so a position has the key of the
related row and, behind it, that of the last document: what is read and kept at once is bounded by the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, Select, Subquery, and_, column, or_, select, true
from sqlalchemy import tuple_ as row_of

from syncer.adapters.postgres.feed import watermark_parameter, watermark_value
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.sql import (
    Columns,
    key_bound,
    key_parts,
    key_texts,
    key_values,
    number,
    qualified_columns,
    quoted,
    readable,
    relation,
    text_of,
)
from syncer.core.change import Change, Page
from syncer.core.position import Position
from syncer.core.relation import Join
from syncer.core.table import Table


class PostgresRelatedFeed:
    """Implements `ChangeFeed` on a table that documents reach by joins.

    A row leads to the documents that it is part of now. Those that it was part of before, tombstones tell.
    """

    def __init__(self, session: Session, root: Table, joins: Sequence[Join]) -> None:
        """joins: from the root to the table, which is the last one's."""
        self._session = session
        self._root = root
        self._joins = joins
        self._table = joins[-1].table

    @property
    def name(self) -> str:
        return feed_name(self._root, self._joins)

    @property
    def watermark_zone(self) -> str | None:
        return self._table.watermark_zone

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        """Return up to so many changes from `start`, none above `until`, by watermark, related row and document.

        A row that is part of no document takes a place in the page, and is no change.
        """
        values: dict[str, Any] = {
            "start": watermark_value(self._table, start.watermark),
            "until": watermark_value(self._table, until),
        }
        parts = len(self._table.key)
        key = start.key or ()
        if key:
            values |= key_values("after", key[:parts])
        within = len(key) > parts
        if within:
            values |= key_values("document", key[parts:])
        with self._session.use() as connection:
            found = connection.execute(
                _page(self._root, self._joins, rows, after_key=bool(key), within=within), values
            ).all()
        changes = [self._change(row) for row in found]
        last = self._position(found[-1]) if len(found) == rows else None
        return Page([change for change in changes if change is not None], last)

    def _change(self, row: Row[Any]) -> Change | None:
        parts = len(self._table.key)
        document = tuple(row[parts : parts + len(self._root.key)])
        if document[0] is None:
            return None
        return Change(document, row.watermark.replace(tzinfo=UTC), row.row_version, row=tuple(row[:parts]))

    def _position(self, row: Row[Any]) -> Position:
        parts = len(self._table.key)
        document = tuple(row[parts : parts + len(self._root.key)])
        key = tuple(row[:parts]) + (document if document[0] is not None else ())
        return Position(row.watermark.replace(tzinfo=UTC), key)


def feed_name(root: Table, joins: Sequence[Join]) -> str:
    """Return the name of the feed: a table may be reached in several ways, each of which is a feed of its own."""
    before = [root, *(join.table for join in joins)]
    steps = [
        " and ".join(f"{join.table}.{column} = {table}.{other}" for other, column in join.on)
        for table, join in zip(before, joins, strict=False)
    ]
    return f"{joins[-1].table} by {', '.join(reversed(steps))}"


def readable_page(root: Table, joins: Sequence[Join], rows: int) -> str:
    """Return the SELECT of a page that begins within the documents of a row, as people read it."""
    return readable(_page(root, joins, rows, after_key=True, within=True))


def _page(root: Table, joins: Sequence[Join], rows: int, *, after_key: bool, within: bool) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of one page.

    after_key: it begins behind a related row; within: behind one of the documents of that row.
    """
    changed = _changed(joins[-1], rows, after_key=after_key, within=within)
    documents = _documents(root, joins, changed, rows, within=within)
    parts = range(len(root.key))
    return (
        select(
            *[changed.c[f"key_{i + 1}"] for i in range(len(joins[-1].table.key))],
            *[documents.c[f"key_{i + 1}"] for i in parts],
            changed.c.watermark,
            changed.c.row_version,
        )
        .select_from(changed.outerjoin(documents, true()))
        .order_by(
            changed.c.watermark,
            *[changed.c[f"part_{i + 1}"] for i in range(len(joins[-1].table.key))],
            *[documents.c[f"part_{i + 1}"] for i in parts],
        )
        .limit(number(rows))
    )


def _changed(join: Join, rows: int, *, after_key: bool, within: bool) -> Subquery:
    """Return the related rows of a page: an index on watermark and key answers it."""
    table = join.table
    source = relation(table)
    columns = qualified_columns(table)
    parts, watermark = key_parts(table, columns), columns[table.watermark]
    start = watermark_parameter(table, "start")
    if within:
        above: ColumnElement[bool] = row_of(watermark, *parts) >= row_of(start, *key_bound(table, "after"))
    elif after_key:
        above = row_of(watermark, *parts) > row_of(start, *key_bound(table, "after"))
    else:
        above = watermark >= start
    return (
        select(
            *key_texts(table, columns),
            *_labelled("part", parts),
            *_labelled("on", [columns[name] for _, name in join.on]),
            watermark.label("watermark"),
            text_of(column("xmin")).label("row_version"),
        )
        .select_from(source)
        .where(above, watermark <= watermark_parameter(table, "until"))
        .order_by(watermark, *parts)
        .limit(number(rows))
        .subquery("changed")
    )


def _documents(root: Table, joins: Sequence[Join], changed: Subquery, rows: int, *, within: bool) -> FromClause:
    """Return the documents that one related row is part of: by the joins, the other way round.

    Whatever hides rows on the way: a document changes with the row that is hidden now.
    """
    *others, last = joins
    columns = qualified_columns(root, "document")
    before: Columns = columns
    way: FromClause = relation(root).alias(quoted("document"))
    for place, join in enumerate(others, 1):
        here = qualified_columns(join.table, f"by {place}")
        way = way.join(
            relation(join.table).alias(quoted(f"by {place}")),
            and_(*[here[name] == before[other] for other, name in join.on]),
        )
        before = here
    parts = key_parts(root, columns)
    found = select(*key_texts(root, columns), *_labelled("part", parts)).select_from(way)
    found = found.where(*[before[other] == changed.c[f"on_{i + 1}"] for i, (other, _) in enumerate(last.on)])
    if within:
        table = last.table
        at = row_of(changed.c.watermark, *[changed.c[f"part_{i + 1}"] for i in range(len(table.key))])
        beyond = at > row_of(watermark_parameter(table, "start"), *key_bound(table, "after"))
        found = found.where(or_(beyond, row_of(*parts) > row_of(*key_bound(root, "document"))))
    return found.order_by(*parts).limit(number(rows)).lateral("documents")


def _labelled(prefix: str, columns: Sequence[ColumnElement[Any]]) -> list[Any]:
    return [each.label(f"{prefix}_{i + 1}") for i, each in enumerate(columns)]
