"""What the catalogue says of a pipeline's table, checked against what the settings say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from sqlalchemy import Connection, Row, text

from syncer.adapters.postgres.expression import check_stable
from syncer.adapters.postgres.session import Session
from syncer.core.error import ConfigurationError
from syncer.core.suggestion import suggestion
from syncer.core.table import Column, Table

#: `timestamp` needs `watermark_zone`.
_WATERMARK_TYPES = ("timestamptz", "timestamp")
#: The watermark of a related table, where none is named.
USUAL_WATERMARK = "updated_at"
_SOFT_DELETE_TYPES = ("timestamptz", "timestamp", "date", "bool")
_VIEWS = ("v", "m")
_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}

# A name is taken as the catalogue has it, or as SQL quotes it; after a dot in it, or in the search_path.
_RELATION = text("""
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND (:name IN (n.nspname || '.' || c.relname,
                  quote_ident(n.nspname) || '.' || quote_ident(c.relname),
                  '"' || replace(n.nspname, '"', '""') || '"."' || replace(c.relname, '"', '""') || '"')
        OR :name IN (c.relname, quote_ident(c.relname), '"' || replace(c.relname, '"', '""') || '"')
           AND pg_table_is_visible(c.oid))
 ORDER BY pg_table_is_visible(c.oid)
 LIMIT 1
""")

_RELATION_NAMES = text("""
SELECT n.nspname || '.' || c.relname AS full_name, c.relname AS name
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
""")

_OF_TABLE = """
SELECT attnum, attname, attnotnull, attgenerated = 'v' AS virtual, atttypid AS type, atttypmod AS typmod
  FROM pg_catalog.pg_attribute WHERE attrelid = :oid AND attnum > 0 AND NOT attisdropped
"""
_LISTED = """
SELECT attnum, attname, false AS attnotnull, false AS virtual, type, typmod
  FROM unnest(CAST(:names AS text[]), CAST(:types AS oid[]), CAST(:typmods AS int4[]))
       WITH ORDINALITY AS listed (attname, type, typmod, attnum)
"""

# Domains and arrays are unwrapped until a type is reached that is neither; `point` and `name` have elements, but are
# no arrays. Types outside pg_catalog are written with their schema, so that no search_path is needed to find them.
# -1 asks for the type without a length: `varchar(3)` would cut a key off. PostGIS's types keep what says whether they
# are points.
_COLUMNS = r"""
WITH RECURSIVE unwrapped AS (
    SELECT a.attnum, a.attname, a.attnotnull, a.virtual, t.oid, t.typtype, t.typcategory,
           t.typelem, t.typbasetype, t.typtypmod, a.typmod, false AS is_array
      FROM ({columns}) AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.type
    UNION ALL
    SELECT u.attnum, u.attname, u.attnotnull, u.virtual, t.oid, t.typtype, t.typcategory,
           t.typelem, t.typbasetype, t.typtypmod, CASE WHEN u.typtype = 'd' THEN u.typtypmod ELSE u.typmod END,
           u.is_array OR u.typtype <> 'd'
      FROM unwrapped AS u
      JOIN pg_catalog.pg_type AS t ON t.oid = CASE WHEN u.typtype = 'd' THEN u.typbasetype ELSE u.typelem END
     WHERE u.typtype = 'd' OR u.typcategory = 'A' AND u.typelem <> 0
)
SELECT u.attname AS name, t.typname AS type, u.typtype AS kind, u.is_array, NOT u.attnotnull AS nullable,
       u.virtual,
       CASE WHEN n.nspname = 'pg_catalog' THEN format_type(t.oid, -1)
            ELSE quote_ident(n.nspname) || '.' || quote_ident(t.typname) END
       || CASE WHEN t.typname IN ('geometry', 'geography')
               THEN coalesce(substring(format_type(t.oid, u.typmod) FROM '\(.*\)$'), '') ELSE '' END AS sql_type
  FROM unwrapped AS u
  JOIN pg_catalog.pg_type AS t USING (oid)
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
 WHERE u.typtype <> 'd' AND NOT (u.typcategory = 'A' AND u.typelem <> 0)
 ORDER BY u.attnum
"""
_TABLE_COLUMNS, _LISTED_COLUMNS = (text(_COLUMNS.format(columns=columns)) for columns in (_OF_TABLE, _LISTED))

_PRIMARY_KEY = text("""
SELECT a.attname
  FROM pg_catalog.pg_index AS i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 WHERE i.indrelid = :oid AND i.indisprimary AND k.place <= i.indnkeyatts
 ORDER BY k.place
""")


def read_table(
    session: Session,
    name: str,
    *,
    key: Sequence[str],
    watermark: str | None,
    watermark_zone: str | None,
    soft_delete: str | None,
    where: str | None,
    routing: str | None,
    setting: str,
    view: bool = False,
) -> Table:
    """Return the table called `name`, as `schema.table` or by the search_path; no `key`: its primary key; no
    `watermark`: the usual column, if there is one of a time type. view: it must be a view, which has none.

    setting: what the configuration calls the pipeline or relation, like `pipelines.articles`. Raises
    ConfigurationError, which names the setting, where the table, a column or a zone is not there or cannot serve.
    """
    with session.use() as connection:
        found = _relation(connection, name, f"{setting}.table", view=view)
        columns = {row.name: _column(row) for row in connection.execute(_TABLE_COLUMNS, {"oid": found.oid})}
        table = Table(
            schema=found.schema,
            name=found.name,
            columns=columns,
            key=tuple(key) or _primary_key(connection, found, f"{setting}.key"),
            watermark=None if view else watermark or _usual_watermark(columns),
            watermark_zone=watermark_zone,
            soft_delete=soft_delete,
            where=where,
            routing=routing,
            view=view,
        )
        _check_watermark(table, setting)
        if routing is not None:
            noted(table, routing, f"{setting}.routing")
        check_rows(connection, table, setting)
    return table


def described_columns(
    connection: Connection, names: Sequence[str], types: Sequence[int], typmods: Sequence[int]
) -> Mapping[str, Column]:
    """Return the columns of a result by what the server describes it by; types: oids."""
    listed = {"names": list(names), "types": list(types), "typmods": list(typmods)}
    return {row.name: _column(row) for row in connection.execute(_LISTED_COLUMNS, listed)}


def check_rows(connection: Connection, table: Table, setting: str) -> None:
    """Raise ConfigurationError where the key, or what decides which rows have documents, cannot serve."""
    for column in table.key:
        _check_key_column(table, column, f"{setting}.key")
    _check_soft_delete(table, f"{setting}.soft_delete")
    if table.where is not None:
        check_stable(connection, table, table.where, f"{setting}.where")


def _relation(connection: Connection, name: str, setting: str, *, view: bool) -> Row[Any]:
    found = connection.execute(_RELATION, {"name": name}).one_or_none()
    if found is None:
        names = connection.execute(_RELATION_NAMES).all()
        known = [row.full_name if "." in name else row.name for row in names]
        raise ConfigurationError(f"{setting}: there is no table {name}", hint=suggestion(name, known))
    if view and found.kind not in _VIEWS:
        raise ConfigurationError(
            f"{setting}: {found.schema}.{found.name} is no view", hint="feeds are for a query or a view: leave them out"
        )
    if found.kind in _KINDS and not view:
        raise ConfigurationError(
            f"{setting}: {found.schema}.{found.name} is {_KINDS[found.kind]}, which cannot be followed",
            hint="name the table that its rows come from; a pipeline's own table may be a view where it has feeds",
        )
    return found


def _column(row: Row[Any]) -> Column:
    return Column(
        name=row.name,
        type=row.type,
        sql_type=f"{row.sql_type}[]" if row.is_array else row.sql_type,
        array=row.is_array,
        nullable=row.nullable,
        kind=row.kind,
        virtual=row.virtual,
    )


def _primary_key(connection: Connection, found: Row[Any], setting: str) -> tuple[str, ...]:
    key = tuple(connection.execute(_PRIMARY_KEY, {"oid": found.oid}).scalars())
    if not key:
        raise ConfigurationError(
            f"{setting}: {found.schema}.{found.name} has no primary key",
            hint="name the columns that identify a row: they must be NOT NULL and unique",
        )
    return key


def existing(table: Table, column: str, setting: str) -> Column:
    """Return a column. Raises ConfigurationError where the table has no such one."""
    if column not in table.columns:
        raise ConfigurationError(f"{setting}: {table} has no column {column}", hint=suggestion(column, table.columns))
    return table.columns[column]


def noted(table: Table, name: str, setting: str) -> Column:
    """Return a column whose old value triggers note."""
    column = existing(table, name, setting)
    if column.virtual:
        raise ConfigurationError(
            f"{setting}: {table}.{name} is a virtual generated column, whose value triggers do not see",
            hint="name a column that is stored, or one GENERATED ALWAYS AS (…) STORED",
        )
    return column


def _check_key_column(table: Table, name: str, setting: str) -> None:
    column = noted(table, name, setting)
    if column.array or column.kind == "c":
        raise ConfigurationError(
            f"{setting}: {table}.{name} is of type {column.sql_type}, "
            f"{'an array' if column.array else 'a composite type'}, which cannot be a key",
            hint="name columns of plain types that identify a row: they must be NOT NULL and unique",
        )


def _usual_watermark(columns: Mapping[str, Column]) -> str | None:
    usual = columns.get(USUAL_WATERMARK)
    return USUAL_WATERMARK if usual and usual.type in _WATERMARK_TYPES and not usual.array else None


def _check_watermark(table: Table, setting: str) -> None:
    if table.watermark is None:
        if table.watermark_zone is not None:
            raise ConfigurationError(
                f"{setting}.watermark_zone: {table} has no watermark that it could be of",
                hint=f"name the column: {setting}.watermark",
            )
        return
    column = existing(table, table.watermark, f"{setting}.watermark")
    if column.array or column.type not in _WATERMARK_TYPES:
        times = _of_type(table.columns, _WATERMARK_TYPES)
        raise ConfigurationError(
            f"{setting}.watermark: {table}.{column.name} is of type {column.sql_type}, not timestamptz or timestamp",
            hint=f"columns that could serve: {times}" if times else "add a timestamptz column that every write sets",
        )
    zone = table.watermark_zone
    if zone is None and column.type == "timestamp":
        raise ConfigurationError(
            f"{setting}.watermark_zone is missing: {table}.{column.name} has no time zone",
            hint="name the zone that its writers keep, for example UTC; or change the column to timestamptz",
        )
    if zone is not None and column.type == "timestamptz":
        raise ConfigurationError(
            f"{setting}.watermark_zone: {table}.{column.name} is a timestamptz, which needs none", hint="leave it out"
        )
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigurationError(
                f"{setting}.watermark_zone: there is no time zone {zone}",
                hint=suggestion(zone, available_timezones()),
            ) from error


def _check_soft_delete(table: Table, setting: str) -> None:
    if table.soft_delete is None:
        return
    column = existing(table, table.soft_delete, setting)
    if column.array or column.type not in _SOFT_DELETE_TYPES:
        raise ConfigurationError(
            f"{setting}: {table}.{column.name} is of type {column.sql_type}, neither a time nor boolean",
            hint=f"write a condition instead, like where: {column.name} = …",
        )


def _of_type(columns: Mapping[str, Column], types: Sequence[str]) -> str:
    return ", ".join(name for name, column in columns.items() if column.type in types and not column.array)
