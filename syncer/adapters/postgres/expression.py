"""Conditions and queries that users write in SQL."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, Select, select
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.session import Session, reason_of, sqlstate
from syncer.adapters.postgres.sql import condition, named, number, relation, written_out
from syncer.core.error import ConfigurationError
from syncer.core.table import Table

_STRING = re.compile(r"'(?:[^']|'')*'")
_NAME = re.compile(r'"(?:[^"]|"")*"')
# As EXPLAIN writes them, whatever the user wrote.
_CLOCK = re.compile(
    r"\b(?:now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\(\)"
    r"|\b(?:CURRENT_DATE|CURRENT_TIME|CURRENT_TIMESTAMP|LOCALTIME|LOCALTIMESTAMP)\b"
)
# Constants that a time's type replaces by the time at which the statement is planned.
_CLOCK_CONSTANT = re.compile(r"'\s*(now|today|tomorrow|yesterday)\b[^']*'", re.IGNORECASE)


def check_condition(connection: Connection, table: Table, expression: str, setting: str) -> str:
    """Raise ConfigurationError with Postgres's words where it is no condition over the table; return its plan."""
    try:
        return _plan(connection, select(number(1)).select_from(relation(table)).where(condition(expression)))
    except DBAPIError as error:
        if not is_rejected(error):
            raise
        raise ConfigurationError(
            f"{setting}: {reason_of(error)}", hint=f"it must be a condition over the columns of {table}: {expression}"
        ) from error


def check_stable(connection: Connection, table: Table, expression: str, setting: str) -> None:
    """Raise ConfigurationError where it is no condition, or one whose truth changes while the row does not.

    Looked for in the plan, not in the user's text: there, a string may hold `now()`, and a function hide it.
    """
    if words := _clocks(check_condition(connection, table, expression, setting), expression):
        raise ConfigurationError(
            f"{setting}: {words[0]} makes rows enter and leave the index without a change that could be followed",
            hint="keep a column for it that a job updates, or filter when you search",
        )


def check_stable_query(connection: Connection, table: Table, query: str, setting: str) -> None:
    """Raise ConfigurationError where the query that stands for a table gives rows that change by themselves."""
    if words := _clocks(_plan_of_rows(connection, table), query):
        raise ConfigurationError(
            f"{setting}: {words[0]} makes documents change without a change that could be followed",
            hint="keep a column for it that a job updates, or compute it when you search",
        )


def clock_of(session: Session, view: Table) -> str | None:
    """Return what tells the time in a view, so that its rows change by themselves; None: nothing does."""
    with session.use() as connection:
        # A constant such as 'today' became a time when the view was made.
        return next(iter(_clocks(_plan_of_rows(connection, view), "")), None)


def is_rejected(error: DBAPIError) -> bool:
    """Tell whether Postgres refuses what the user wrote, not who asks."""
    state = sqlstate(error)
    return state[:2] in {"42", "22", "0A"} and state != "42501"


def _plan_of_rows(connection: Connection, table: Table) -> str:
    columns = named(table, rows := relation(table))
    return _plan(connection, select(*columns.values()).select_from(rows))


def _plan(connection: Connection, statement: Select[Any]) -> str:
    # Without parameters a percent sign is one.
    explained = connection.exec_driver_sql(
        f"EXPLAIN (VERBOSE, COSTS OFF) {written_out(statement)}", execution_options={"no_parameters": True}
    )
    return "\n".join(explained.scalars())


def _clocks(plan: str, written: str) -> list[str]:
    """Return what tells the time in a plan, or is replaced by it there."""
    clock = _CLOCK.search(_NAME.sub('""', _STRING.sub("''", plan)))
    words = [clock[0]] if clock else []
    # Such a constant that is compared as text stands in the plan as it is.
    words += [found[0] for found in _CLOCK_CONSTANT.finditer(written) if found[0] not in plan]
    return words
