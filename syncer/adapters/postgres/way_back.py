"""The way back from a related table's rows to the documents that they are part of, and pages of what lies there."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Subquery, bindparam, literal_column, select, true
from sqlalchemy import tuple_ as row_of
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.feed import identity
from syncer.adapters.postgres.session import Session, sqlstate
from syncer.adapters.postgres.sql import (
    SqlType,
    has_key,
    key_bound,
    key_of,
    key_parts,
    key_texts,
    key_values,
    number,
    qualified_columns,
    quoted,
    relation,
)
from syncer.adapters.postgres.tables import qualified
from syncer.core.change import NO_KEY, Change, Page
from syncer.core.fan_out import FanOut
from syncer.core.key import Key
from syncer.core.position import Position
from syncer.core.relation import Join
from syncer.core.table import Table

#: The conditions on columns that hold a document's key.
_Bounds = Callable[[Sequence[ColumnElement[Any]]], Iterable[ColumnElement[bool]]]

#: They compare with each other in one order. Texts do so in one collation alone, which the two columns need not share.
_INTEGERS = {"int2", "int4", "int8"}


@dataclass(frozen=True, slots=True)
class WayBack:
    """The joins from a root to a table, which is the last one's, followed the other way round."""

    root: Table
    joins: Sequence[Join]

    def __str__(self) -> str:
        """Return what tells it from other ways to the same table."""
        before = [self.root, *(join.table for join in self.joins)]
        steps = [
            " and ".join(f"{join.table}.{column} = {table}.{other}" for other, column in join.on)
            for table, join in zip(before, self.joins, strict=False)
        ]
        return ", ".join(reversed(steps))

    @property
    def identity(self) -> Hashable:
        """What tells which rows and documents a feed of this way reads, and in which order."""
        return identity(self.root), tuple((identity(join.table), join.on) for join in self.joins)

    @property
    def table(self) -> Table:
        return self.joins[-1].table

    @property
    def columns(self) -> Sequence[str]:
        """The table's columns that tell which documents a row is part of."""
        return [column for _, column in self.joins[-1].on]

    def _reached(
        self, values: Sequence[ColumnElement[Any]], bounds: _Bounds = lambda _: ()
    ) -> Select[*tuple[Any, ...]]:
        """Return the SELECT of the keys that values of `columns` lead to; the root is called `document`.

        Whatever hides rows on the way: a document changes with the row that is hidden now. bounds: of the keys.
        """
        columns = qualified_columns(self.root, "document")
        found = (
            select(*key_texts(self.root, columns))
            .select_from(relation(self.root).alias(quoted("document")))
            .where(*has_key(self.root, columns), *bounds(key_parts(self.root, columns)))
        )
        before, between, conditions = columns, list[FromClause](), list[ColumnElement[bool]]()
        *others, last = self.joins
        for place, join in enumerate(others, 1):
            between.append(relation(join.table).alias(quoted(f"by {place}")))
            here = qualified_columns(join.table, f"by {place}")
            conditions += [here[name] == before[other] for other, name in join.on]
            before = here
            if place == 1 and (names := self._key_in_first):
                # It follows from the others, which Postgres does not see: it would read the rows of all documents
                # before these.
                conditions += bounds([here[name] for name in names])
        conditions += [before[other] == value for (other, _), value in zip(last.on, values, strict=True)]
        if between:
            # Not joined to the root: a document that is reached over several rows comes once.
            rows = reduce(lambda left, right: left.join(right, true()), between)
            conditions = [select(number(1)).select_from(rows).where(*conditions).exists()]
        return found.where(*conditions)

    @property
    def _key_in_first(self) -> Sequence[str]:
        """The first table's columns that are equal to the root's key, and ordered alike; none: not all of it is so."""
        first, columns = dict(self.joins[0].on), self.joins[0].table.columns
        for name in self.root.key:
            types = {self.root.columns[name].type, columns[first[name]].type} if name in first else set()
            if not types or not (types <= _INTEGERS or types <= {"uuid"}):
                return ()
        return [first[name] for name in self.root.key]

    def pairs(self, changed: Subquery, rows: int) -> Select[*tuple[Any, ...]]:
        """Return the SELECT of rows with their documents, called `document_1`, …: so many, and one more if there is.

        changed: the rows in their order, with the columns' values as `on_1`, …. A row that is part of no document comes
        once, without one.
        """
        values: list[ColumnElement[Any]] = [
            literal_column(qualified(changed.name, f"on_{i + 1}")) for i in range(len(self.columns))
        ]
        parts = key_parts(self.root, qualified_columns(self.root, "document"))
        # Apart from their order, by OFFSET 0: of values that are not known yet, the planner would go through all
        # documents in the order of their keys, in the hope of soon meeting as many as it is asked for.
        reached = (
            self._reached(values)
            .add_columns(*[part.label(f"part_{i + 1}") for i, part in enumerate(parts)])
            .offset(number(0))
            .subquery("reached")
        )
        documents = (
            select(*[reached.c[f"key_{i + 1}"] for i in range(len(parts))])
            .order_by(*[reached.c[f"part_{i + 1}"] for i in range(len(parts))])
            .limit(number(rows + 1))
            .lateral("documents")
        )
        # Without ORDER BY: what is lateral is read row by row, in the order of the rows. Where all rows have one
        # watermark the planner takes them for few: it would sort, and so read the documents of all of them first.
        return (
            select(*[documents.c[f"key_{i + 1}"].label(f"document_{i + 1}") for i in range(len(self.root.key))])
            .select_from(changed.outerjoin(documents, true()))
            .limit(number(rows + 1))
        )

    def portion(self, rows: int, *, after: bool, through: bool) -> Select[*tuple[Any, ...]]:
        """Return the SELECT of up to so many of the documents of a fan-out."""
        types = [self.table.columns[name].sql_type for name in self.columns]

        def bounds(key: Sequence[ColumnElement[Any]]) -> Iterator[ColumnElement[bool]]:
            if after:
                yield row_of(*key) > row_of(*key_bound(self.root, "after"))
            if through:
                yield row_of(*key) <= row_of(*key_bound(self.root, "through"))

        values = [bindparam(f"value_{i + 1}", type_=SqlType(sql)) for i, sql in enumerate(types)]
        parts = key_parts(self.root, qualified_columns(self.root, "document"))
        return self._reached(values, bounds).order_by(*parts).limit(number(rows))


def feed_name(root: Table, joins: Sequence[Join]) -> str:
    """Return the name of the feed of the table that joins lead to: each way to a table has one of its own."""
    return f"{joins[-1].table} by {WayBack(root, joins)}"


def documents_of(session: Session, way: WayBack, fan_out: FanOut, rows: int) -> Sequence[Key]:
    """Return up to so many keys that are in reach of a fan-out, in order.

    Where a column's type has changed since, what was kept may be no value of it any more, and leads nowhere.
    """
    values = key_values("value", fan_out.reached_by)
    values |= key_values("after", fan_out.after or ()) | key_values("through", fan_out.through or ())
    statement = way.portion(rows, after=fan_out.after is not None, through=fan_out.through is not None)
    with session.use() as connection:
        try:
            found = connection.execute(statement, values).all()
        except DBAPIError as error:
            if not sqlstate(error).startswith("22"):
                raise
            return []
    return [key_of(row, way.root) for row in found]


@dataclass(frozen=True, slots=True)
class Pair:
    """A row that is noted in a feed, and one of the documents that it leads to."""

    #: Of the row, in the feed.
    position: Position
    row_version: str
    #: By which its documents are reached.
    values: Key
    #: None: it leads to none.
    document: Key | None
    #: Of a table that was truncated.
    truncated: bool = False


def page_of(pairs: Sequence[Pair], rows: int) -> Page:
    """Return the page of up to so many changes that pairs make: up to so many, and one more where there are more.

    A row whose documents were cut off is left to the next page, unless it is the first one: then the page is one change
    that fans out. So a position never lies within a row's documents.
    """
    if len(pairs) <= rows:
        return Page(_changes(pairs))
    end = pairs[-1].position
    # Not those of the last row alone: others may have its key, where that is not unique.
    whole = [pair for pair in pairs if pair.position != end]
    if whole:
        return Page(_changes(whole), whole[-1].position)
    fans_out = Change(NO_KEY, end.watermark, pairs[-1].row_version, row=end.key, fans_out_by=pairs[-1].values)
    return Page([fans_out], end)


def _changes(pairs: Sequence[Pair]) -> Sequence[Change]:
    return tuple(
        Change(
            pair.document,
            pair.position.watermark,
            pair.row_version,
            row=pair.position.key,
            truncated=pair.truncated,
        )
        for pair in pairs
        if pair.document is not None
    )
