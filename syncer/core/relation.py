"""Rows of other tables that belong to one row: the author of an article, its tags, its comments."""

from __future__ import annotations

from dataclasses import dataclass
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

    @property
    def table(self) -> Table:
        """The table that holds the rows."""
        return self.joins[-1].table
