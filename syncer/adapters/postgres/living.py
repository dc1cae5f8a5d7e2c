"""Which rows of a table count: those that are not soft-deleted, and meet the user's condition."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, true

from syncer.adapters.postgres.sql import Columns, condition
from syncer.core.table import Table


def lacks_documents(table: Table) -> bool:
    """Tell whether the table may have rows without document."""
    return table.soft_delete is not None or table.where is not None


def living(table: Table, columns: Columns) -> ColumnElement[bool]:
    """Return the condition that a row has a document, or is part of one."""
    conditions: list[ColumnElement[bool]] = []
    if table.soft_delete is not None:
        deleted = columns[table.soft_delete]
        boolean = table.columns[table.soft_delete].type == "bool"
        conditions.append(deleted.is_not(true()) if boolean else deleted.is_(None))
    if table.where is not None:
        conditions.append(condition(table.where))
    return and_(*conditions)
