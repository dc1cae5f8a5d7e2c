"""Rows of other tables that belong to one row: the author of an article, its tags, its comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from syncer.core.table import Table


class Aggregate(StrEnum):
    """What many rows are made one value by."""

    COUNT = "count"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    AVG = "avg"


@dataclass(frozen=True, slots=True)
class Join:
    """A table that is reached from the one before. Its `soft_delete` and `where` hide rows of it."""

    table: Table
    #: Pairs of a column of the table before and the column of this one that is equal to it.
    on: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Order:
    """A column that related rows are ordered by; NULLs come last either way."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """How rows are reached, and which of them count."""

    name: str
    #: The tables on the way, of which the last one holds the rows.
    joins: tuple[Join, ...]
    #: Else there is one row, or none.
    many: bool = False
    #: Rows that are equal by it are ordered by their key, so that a document does not change by chance.
    order: tuple[Order, ...] = ()
    #: The first so many; None: all.
    limit: int | None = None
    #: What an object of a row holds unless the fields say otherwise, columns and relations; None: every column.
    columns: tuple[str, ...] | None = None
    #: Those of the rows themselves, by name.
    relations: Mapping[str, Relation] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """The table that holds the rows."""
        return self.joins[-1].table

    def then(self, other: Relation) -> Relation:
        """Return the way on to the rows of one of this relation's own relations; it has that one's order and limit."""
        return replace(
            other, name=f"{self.name}.{other.name}", joins=self.joins + other.joins, many=self.many or other.many
        )


@dataclass(frozen=True, slots=True)
class DeclaredJoin:
    """A table on the way to related rows; the attributes are those of `Join` and `Table`."""

    #: `schema.table`, or `table` by the search_path.
    table: str
    on: Mapping[str, str]
    #: Empty: the primary key.
    key: tuple[str, ...] = ()
    #: None: `updated_at`, if there is such a column of a time type.
    watermark: str | None = None
    watermark_zone: str | None = None
    soft_delete: str | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class DeclaredRelation:
    """One relation as the settings declare it; the attributes are those of `Relation`."""

    joins: tuple[DeclaredJoin, ...]
    many: bool = False
    order: tuple[Order, ...] = ()
    limit: int | None = None
    columns: tuple[str, ...] | None = None
    relations: Mapping[str, DeclaredRelation] = field(default_factory=dict)
