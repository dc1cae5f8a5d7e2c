"""The source table of a pipeline, or what stands in its place, as the catalogue describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    #: `pg_type.typname` of its base type, domains resolved; of its elements for an array: `int8`, `timestamptz`.
    type: str
    #: As SQL writes the type in a cast: `bigint`, `timestamp with time zone`, `text[]`.
    sql_type: str
    array: bool = False
    nullable: bool = True
    #: `pg_type.typtype` of that base type: `b` base, `e` enum, `r` range, `m` multirange, `c` composite.
    kind: str = "b"
    #: Generated when it is read: triggers do not see its value.
    virtual: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A root table, or a related one, and what the settings say of it. Names are unquoted, as in the catalogue."""

    #: Of a query: what the configuration calls its pipeline.
    schema: str
    #: Of a query: what it is called in statements.
    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    #: None: nothing in a row tells that it has changed.
    watermark: str | None
    #: For a watermark without time zone: the zone that its writers keep.
    watermark_zone: str | None = None
    #: A timestamp column (deleted when not NULL) or a boolean one (deleted when true).
    soft_delete: str | None = None
    #: A boolean SQL expression over the columns; rows where it is not true have no document.
    where: str | None = None
    #: The column whose value decides on a document's shard; NULL and an empty text leave that to the document's id.
    routing: str | None = None
    #: A SELECT that stands in its place.
    query: str | None = None
    #: It is a view, materialized or not.
    view: bool = False

    @property
    def derived(self) -> bool:
        """Its rows are made of other tables' rows: those tables tell what changes."""
        return self.view or self.query is not None

    @property
    def watermark_column(self) -> Column:
        """The column of the watermark, for what is done with tables that have one alone."""
        assert self.watermark is not None
        return self.columns[self.watermark]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"
