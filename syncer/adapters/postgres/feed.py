"""A table's changes, in the order of its watermark."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, bindparam, column, func, select, tuple_

from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.sql import (
    SqlType,
    has_key,
    key_bound,
    key_of,
    key_parts,
    key_texts,
    key_values,
    named,
    number,
    relation,
    text_of,
)
from syncer.core.change import Change, Page
from syncer.core.position import BEGINNING, Position
from syncer.core.source_state import Observation
from syncer.core.table import Table

#: The last instant that Python can hold.
END = datetime.max.replace(tzinfo=UTC)
#: Watermarks further ahead of the clock are counted as mistakes; they are polled when due.
FUTURE = timedelta(hours=1)
#: Nobody needs to know the number above it, and counting on would read the table.
COUNTED_MAX = 10_001


class PostgresChangeFeed:
    """Implements `ChangeFeed` on a table: keyset pages over an index on `(watermark, key)`.

    A watermark without time zone is read as if it were UTC: `watermark_zone` tells the engine what it is.
    """

    def __init__(self, session: Session, table: Table) -> None:
        self._session = session
        self._table = table

    @property
    def name(self) -> str:
        return str(self._table)

    @property
    def reads(self) -> Hashable:
        return identity(self._table)

    @property
    def watermark_zone(self) -> str | None:
        return self._table.watermark_zone

    def first(self) -> Select[Any]:
        """Return the SELECT of the first change, for a glance."""
        return page(self._table, 1, after_key=False)

    def parameter(self, watermark: datetime) -> datetime:
        """Return what a statement is given for a watermark."""
        return watermark_value(self._table, watermark)

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        """Return up to so many changes from `start`, none above `until`, ordered by watermark and key.

        What Python cannot hold lies outside of the bounds and is never fetched: NULL, the infinities, BC.
        """
        values: dict[str, Any] = {
            "start": watermark_value(self._table, start.watermark),
            "until": watermark_value(self._table, until),
        }
        if start.key is not None:
            values |= key_values("after", start.key)
        with self._session.use() as connection:
            found = connection.execute(page(self._table, rows, after_key=start.key is not None), values).all()
        changes = [
            Change(key_of(row, self._table), row.watermark.replace(tzinfo=UTC), row.row_version) for row in found
        ]
        return Page(changes, Position(changes[-1].watermark, changes[-1].key) if len(changes) == rows else None)


def identity(table: Table) -> Hashable:
    """Return what tells which rows a feed of a table reads, and in which order."""
    columns = [*table.key, *([table.watermark] if table.watermark else [])]
    return str(table), table.query, tuple(table.columns[name] for name in columns)


def page(table: Table, rows: int, *, after_key: bool) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of one page. With a key it is above (`start`, key), else from `start` on."""
    source = relation(table)
    columns = named(table, source)
    key, watermark = key_parts(table, columns), columns[table.watermark_column.name]
    start = watermark_parameter(table, "start")
    if after_key:
        # A row comparison, which an index answers as one range; written out with OR it would be a filter.
        above: ColumnElement[bool] = tuple_(watermark, *key) > tuple_(start, *key_bound(table, "after"))
    else:
        above = watermark >= start
    return (
        select(*key_texts(table, columns), watermark.label("watermark"), text_of(column("xmin")).label("row_version"))
        .select_from(source)
        .where(above, watermark <= watermark_parameter(table, "until"), *has_key(table, columns))
        .order_by(watermark, *key)
        .limit(number(rows))
    )


def watermark_value(table: Table, watermark: datetime) -> datetime:
    """Return what a statement is given for a watermark."""
    return watermark.replace(tzinfo=None) if table.watermark_column.type == "timestamp" else watermark


@dataclass(frozen=True, slots=True)
class Unreachable:
    """How many rows polling does not deliver, each number up to `COUNTED_MAX`."""

    #: NULL.
    missing: int
    #: Infinite, or of a year that is not 1 to 9999.
    infinite: int
    #: More than `FUTURE` ahead of the clock; polled when due.
    future: int


def unreachable(session: Session, table: Table, clock: datetime) -> Unreachable:
    """Count the rows that polling does not deliver; clock: the source's."""
    if table.watermark_zone is not None:
        clock = Observation(clock, {}).on_wall_clock(table.watermark_zone).clock
    source = relation(table)
    watermark = named(table, source)[table.watermark_column.name]
    first, last, soon = (watermark_parameter(table, name) for name in ("first", "last", "soon"))
    conditions = [
        watermark.is_(None),
        watermark < first,
        watermark > last,
        and_(watermark > soon, watermark <= last),
    ]
    values = {
        name: watermark_value(table, value)
        for name, value in (("first", BEGINNING), ("last", END), ("soon", clock + FUTURE))
    }
    with session.use() as connection:
        counts = connection.execute(select(*[_count(source, condition) for condition in conditions]), values).one()
    missing, below, above, future = tuple(counts)
    return Unreachable(missing, min(below + above, COUNTED_MAX), future)


def _count(source: FromClause, condition: ColumnElement[bool]) -> ColumnElement[int]:
    rows = select(number(1)).select_from(source).where(condition).limit(number(COUNTED_MAX)).subquery("rows")
    return select(func.count()).select_from(rows).scalar_subquery()


def watermark_parameter(table: Table, name: str) -> ColumnElement[Any]:
    """Return a parameter that is compared with the watermark."""
    return bindparam(name, type_=SqlType(table.watermark_column.sql_type))
