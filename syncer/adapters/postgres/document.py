"""A row's document and its hash in SQL: what hydration and comparing have to see alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Label, Text, case, cast, func, literal_column, select

from syncer.adapters.postgres.living import lacks_documents, living
from syncer.adapters.postgres.related import field_value, holds_line_breaks
from syncer.adapters.postgres.sql import (
    Columns,
    SqlType,
    constant,
    number,
    qualified_columns,
    quoted,
    short_columns,
    text_of,
)
from syncer.core.field import Field
from syncer.core.table import Table

#: SQLSTATEs, or classes of them, that a value in a row can cause: a value out of range or malformed, a document too
#: large, a function of the user's that raises, a row damaged on disk, whatever an extension reports without a SQLSTATE.
ROW_CAUSED = ("22", "54", "P0001", "XX000", "XX001")


def document_body(table: Table, fields: Sequence[Field], columns: Columns) -> ColumnElement[str]:
    """Return the document as JSON; NULL for a row that has none."""
    body = _json(table, fields, columns)
    return case((living(table, columns), body)) if lacks_documents(table) else body


def document_columns(table: Table, fields: Sequence[Field], routing: Field | None = None) -> Columns:
    """Return the table's columns for its documents: qualified where related rows have columns of their own."""
    related = routing or any(field.related for field in fields)
    return qualified_columns(table) if related else short_columns(table)


def document_hash(body: ColumnElement[str]) -> ColumnElement[int]:
    """Half of an MD5 as a signed number: the same in every version of Postgres, unlike hashtextextended()."""
    half = constant("x") + func.substr(func.md5(body), number(1), number(16))
    return cast(cast(half, SqlType("bit(64)")), BigInteger).label("hash")


def document_routing(table: Table, columns: Columns, routing: Field | None) -> ColumnElement[str]:
    """Return what decides on the document's shard; empty: its id. To Elasticsearch an empty text is none, like NULL.

    routing: of related rows; None: a column of the table, if any.
    """
    if routing is not None:
        return func.coalesce(text_of(field_value(routing, table, columns)), constant(""))
    if table.routing is None:
        return constant("")
    return func.coalesce(text_of(columns[table.routing]), constant(""))


def _json(table: Table, fields: Sequence[Field], columns: Columns) -> ColumnElement[str]:
    values: list[Label[Any]] = [field_value(field, table, columns).label(quoted(field.name)) for field in fields]
    document = select(*values).subquery("document")
    # With `.*`, for a field may be called like the sub-select.
    body = text_of(select(func.row_to_json(literal_column("document.*"))).select_from(document).scalar_subquery())
    if any(holds_line_breaks(field, table) for field in fields):
        # A line break between the parts of a JSON value would end the line of a bulk request. In strings there is none.
        return func.translate(body, literal_column(r"E'\n\r'", Text), constant("  "))
    return body
