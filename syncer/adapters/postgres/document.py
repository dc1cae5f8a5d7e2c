"""A row's document and its hash in SQL: what hydration and comparing have to see alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Label, Text, and_, case, cast, func, literal_column, select, true

from syncer.adapters.postgres.sql import Columns, SqlType, condition, constant, number, quoted, text_of
from syncer.adapters.postgres.value import document_value, holds_foreign_json
from syncer.core.field import Field
from syncer.core.table import Table

#: SQLSTATEs, or classes of them, that a value in a row can cause: a value out of range or malformed, a document too
#: large, a function of the user's that raises, a row damaged on disk.
ROW_CAUSED = ("22", "54", "P0001", "XX001")


def document_body(table: Table, fields: Sequence[Field], columns: Columns) -> ColumnElement[str]:
    """Return the document as JSON; NULL for a row that has none."""
    body = _json(table, fields, columns)
    return case((_live(table, columns), body)) if lacks_documents(table) else body


def document_hash(body: ColumnElement[str]) -> ColumnElement[int]:
    """Half of an MD5 as a signed number: the same in every version of Postgres, unlike hashtextextended()."""
    half = constant("x") + func.substr(func.md5(body), number(1), number(16))
    return cast(cast(half, SqlType("bit(64)")), BigInteger).label("hash")


def document_routing(table: Table, columns: Columns) -> ColumnElement[str]:
    """Return what decides on the document's shard; empty: its id. To Elasticsearch an empty text is none, like NULL."""
    if table.routing is None:
        return constant("")
    return func.coalesce(text_of(columns[table.routing]), constant(""))


def lacks_documents(table: Table) -> bool:
    """Tell whether the table may have rows without document."""
    return table.soft_delete is not None or table.where is not None


def _live(table: Table, columns: Columns) -> ColumnElement[bool]:
    """Return the condition that a row has a document."""
    conditions: list[ColumnElement[bool]] = []
    if table.soft_delete is not None:
        deleted = columns[table.soft_delete]
        boolean = table.columns[table.soft_delete].type == "bool"
        conditions.append(deleted.is_not(true()) if boolean else deleted.is_(None))
    if table.where is not None:
        conditions.append(condition(table.where))
    return and_(*conditions)


def _json(table: Table, fields: Sequence[Field], columns: Columns) -> ColumnElement[str]:
    values: list[Label[Any]] = [
        document_value(field, table.columns[field.column], columns[field.column]).label(quoted(field.name))
        for field in fields
    ]
    document = select(*values).subquery("document")
    # With `.*`, for a field may be called like the sub-select.
    body = text_of(select(func.row_to_json(literal_column("document.*"))).select_from(document).scalar_subquery())
    if any(holds_foreign_json(table.columns[field.column]) for field in fields):
        # A line break between the parts of a JSON value would end the line of a bulk request. In strings there is none.
        return func.translate(body, literal_column(r"E'\n\r'", Text), constant("  "))
    return body
