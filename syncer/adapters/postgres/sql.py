"""What the statements share: quoted names, casts to a type by its SQL name, and keys as text.

Keys travel as text and are cast to their column's type wherever they are compared, so that equality and order are
always Postgres's own: Python knows neither its collations nor its types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnClause,
    ColumnElement,
    FromClause,
    Label,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import UserDefinedType

from syncer.adapters.postgres.tables import qualified
from syncer.core.key import Key
from syncer.core.table import Table

_READABLE = PGDialect_psycopg(paramstyle="named")  # type: ignore[no-untyped-call]  # it is untyped

#: A table's columns in a statement, by name.
Columns = Mapping[str, ColumnElement[Any]]


class SqlType(UserDefinedType[Any]):
    """A type by the name that the catalogue gives it: `bigint`, `"shop"."status"[]`."""

    cache_ok = True
    # A parameter is sent as text, and the server told what it is: it would have to guess otherwise.
    render_bind_cast = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


def quoted(name: str) -> quoted_name:
    """Return an identifier that is always quoted: which words are reserved differs between versions of Postgres."""
    return quoted_name(name, quote=True)


def relation(source: Table) -> FromClause:
    """Return the table, to select from. Not aliased: a condition of the user's may call it by its name."""
    columns: list[ColumnClause[Any]] = [column(quoted(name)) for name in source.columns]
    if source.query is not None:
        # No colon in it begins a parameter, and the line break ends a comment that it may end with.
        query = text(source.query.replace(":", r"\:") + "\n").columns(*columns)
        return query.subquery(quoted(source.name))
    return table(quoted(source.name), *columns, schema=quoted(source.schema))


def short_columns(source: Table) -> Columns:
    """Return the columns by their name alone, for a statement that reads nothing but this table."""
    return {name: column(quoted(name)) for name in source.columns}


def named(source: Table, rows: FromClause) -> Columns:
    """Return the table's columns as they are found in `rows`, with its name before them.

    Needed in ORDER BY, where a name alone could mean something that is selected under this name.
    """
    return {name: rows.c[name] for name in source.columns}


def qualified_columns(source: Table, alias: str | None = None) -> Columns:
    """Return the columns with the name of the table, or of its alias, before them.

    Of no FROM, which a sub-select would take for one of its own.
    """
    rows = (alias,) if alias is not None else (source.name,) if source.query else (source.schema, source.name)
    return {name: literal_column(qualified(*rows, name)) for name in source.columns}


def text_of(expression: ColumnElement[Any]) -> ColumnElement[str]:
    """Return a value as text."""
    return cast(expression, Text)


def key_parts(source: Table, columns: Columns) -> list[ColumnElement[Any]]:
    """Return the key's columns."""
    return [columns[name] for name in source.key]


def has_key(source: Table, columns: Columns) -> list[ColumnElement[bool]]:
    """Return the conditions that no part of the key is NULL; rows without key have no document."""
    return [columns[name].is_not(None) for name in source.key if source.columns[name].nullable]


def key_texts(source: Table, columns: Columns) -> list[Label[str]]:
    """Return the key's columns as text, called `key_1`, `key_2`, …"""
    return [text_of(part).label(_part("key", i)) for i, part in enumerate(key_parts(source, columns))]


def key_of(row: Sequence[Any], source: Table) -> Key:
    """Return the key at the beginning of a result row."""
    return tuple(row[: len(source.key)])


def key_bound(source: Table, prefix: str) -> list[BindParameter[Any]]:
    """Return parameters for one key, called `after_1`, `after_2`, … for the prefix `after`."""
    return [bindparam(_part(prefix, i), type_=SqlType(sql)) for i, sql in enumerate(_types(source))]


def key_values(prefix: str, key: Key) -> dict[str, str]:
    """Return what `key_bound` is executed with."""
    return {_part(prefix, i): part for i, part in enumerate(key)}


def key_lists(source: Table) -> list[BindParameter[Any]]:
    """Return parameters for many keys: a list for each part, called `key_1`, `key_2`, …"""
    return [bindparam(_part("key", i), type_=SqlType(f"{sql}[]")) for i, sql in enumerate(_types(source))]


def key_list_values(source: Table, keys: Sequence[Key]) -> dict[str, list[str]]:
    """Return what `key_lists` is executed with."""
    return {_part("key", i): [key[i] for key in keys] for i in range(len(source.key))}


def listed_keys(source: Table) -> FromClause:
    """Return the keys in `key_lists` as rows."""
    names = [_part("key", i) for i in range(len(source.key))]
    return func.unnest(*key_lists(source)).table_valued(*names).render_derived(name="listed")


def key_is_listed(source: Table, columns: Columns) -> ColumnElement[bool]:
    """Return the condition that the key is one of `key_lists`."""
    parts = key_parts(source, columns)
    if len(parts) == 1:
        return parts[0] == func.any(key_lists(source)[0])
    # In a sub-select, not joined, so that a condition of the user's beside it sees the columns of the table alone.
    return tuple_(*parts).in_(select(*listed_keys(source).c))


def condition(expression: str) -> ColumnElement[bool]:
    """Return a condition of the user's, as it is written."""
    # The line break ends a comment that it may end with.
    return literal_column(f"({expression}\n)", Boolean)


def constant(value: str) -> ColumnElement[str]:
    """Return a string constant. Sessions pin `standard_conforming_strings`, for which it is written."""
    return literal_column("'" + value.replace("'", "''") + "'", Text)


def number(value: int) -> ColumnElement[int]:
    """Return a number as a constant: a LIMIT that the planner knows."""
    return literal_column(str(value))


def written_out(statement: ClauseElement) -> str:
    """Return a statement that has no parameters, for the server: strings in it are as the user wrote them."""
    return str(statement.compile(dialect=_READABLE))


def readable(statement: ClauseElement) -> str:
    """Return a statement as people read it, its parameters as `:name`."""
    return "\n".join(line.rstrip() for line in written_out(statement).splitlines())


def _part(prefix: str, index: int) -> str:
    return f"{prefix}_{index + 1}"


def _types(source: Table) -> list[str]:
    return [source.columns[name].sql_type for name in source.key]
