"""What a document takes from related rows: a sub-select that is correlated with the row it belongs to.

One statement whatever the depth: what a related row takes from its own related rows is a sub-select in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, func, literal_column, select, true

from syncer.adapters.postgres.living import lacks_documents, living
from syncer.adapters.postgres.sql import (
    Columns,
    key_parts,
    number,
    qualified_columns,
    quoted,
    relation,
    short_columns,
)
from syncer.adapters.postgres.tables import qualified
from syncer.adapters.postgres.value import document_value, holds_foreign_json
from syncer.core.field import Field, Related
from syncer.core.relation import Aggregate, Relation
from syncer.core.table import Table

Expression = ColumnElement[Any]


def field_value(field: Field, table: Table, columns: Columns, path: str = "") -> Expression:
    """Return the expression for what a field holds.

    columns: the table's, qualified where the field takes something from related rows. path: the relations that the
    table is reached by.
    """
    if field.related is None:
        return document_value(field, table.columns[field.column], columns[field.column])
    return _related_value(field, field.related, columns, f"{path}.{field.related.relation.name}".lstrip("."))


def holds_line_breaks(field: Field, table: Table) -> bool:
    """Tell whether a field's JSON is copied as somebody wrote it, perhaps with line breaks."""
    if field.related is None:
        return holds_foreign_json(table.columns[field.column])
    return any(holds_line_breaks(each, field.related.relation.table) for each in _parts(field, field.related))


def _related_value(field: Field, related: Related, columns: Columns, path: str) -> Expression:
    of = related.relation
    # No table is called so, and a condition of the user's cannot mean it by chance.
    aliases = [*(f"@{path} by {place}" for place in range(1, len(of.joins))), f"@{path}"]
    here = qualified_columns(of.table, aliases[-1])
    if related.aggregate is not None:
        what = here[field.column] if field.column else literal_column("*")
        value = getattr(func, related.aggregate.value)(what)
        if related.aggregate in {Aggregate.MIN, Aggregate.MAX}:
            value = document_value(field, of.table.columns[field.column], value)
        counted: Select[*tuple[Any, ...]] = select(value)
        return _of_row(counted, of, aliases, columns).scalar_subquery()
    values = [field_value(each, of.table, here, path).label(quoted(each.name)) for each in _parts(field, related)]
    alias = f"@{path} in order"
    # Rows stay rows, for the document's own row_to_json() to write: one of theirs would make and copy a text for each.
    row: Expression = literal_column(qualified(alias))
    if of.many and of.limit is None:
        # Of each row by itself, which the planner does where the row is read: one node less for it to go through.
        cells = select(*values).lateral(quoted(alias))
        one = row if related.fields else values[0]
        every = _ordered(_of_row(select(one), of, aliases, columns, cells if related.fields else None), of, here)
        return func.array(every.scalar_subquery())
    # Not so where there is a limit: without an index for the order, all would be made before they are sorted.
    rows = _ordered(_of_row(select(*values), of, aliases, columns), of, here).subquery(quoted(alias))
    value = select(row if related.fields else rows.c[0]).select_from(rows).scalar_subquery()
    return func.array(value) if of.many else value


def _parts(field: Field, related: Related) -> Sequence[Field]:
    """Return what is taken of each row."""
    if related.fields:
        return related.fields
    return (replace(field, related=None),) if field.column else ()


def _of_row(
    selected: Select[*tuple[Any, ...]],
    of: Relation,
    aliases: Sequence[str],
    columns: Columns,
    cells: FromClause | None = None,
) -> Select[*tuple[Any, ...]]:
    """Let it select from the rows that are reached from one row, and from the cells made of each."""
    first, *others = zip(of.joins, aliases, strict=True)
    rows, here = _rows(first[0].table, first[1]), qualified_columns(first[0].table, first[1])
    ours = [here[column] == columns[of_row] for of_row, column in first[0].on]
    for join, alias in others:
        before, here = here, qualified_columns(join.table, alias)
        rows = rows.join(_rows(join.table, alias), and_(*[here[column] == before[other] for other, column in join.on]))
    return selected.select_from(rows if cells is None else rows.join(cells, true())).where(*ours)


def _rows(table: Table, alias: str) -> FromClause:
    """Return the rows of a table that count."""
    source = relation(table)
    if not lacks_documents(table):
        return source.alias(quoted(alias))
    columns = short_columns(table)
    # In a sub-select of its own, where the user's condition means this table by bare names, whatever is around it.
    return select(*columns.values()).select_from(source).where(living(table, columns)).subquery(quoted(alias))


def _ordered(rows: Select[*tuple[Any, ...]], of: Relation, here: Columns) -> Select[*tuple[Any, ...]]:
    for order in of.order:
        column = here[order.column]
        rows = rows.order_by(column.desc().nulls_last() if order.descending else column.asc().nulls_last())
    rows = rows.order_by(*key_parts(of.table, here))
    limit = of.limit if of.many else 1
    return rows if limit is None else rows.limit(number(limit))
