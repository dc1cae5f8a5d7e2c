"""What the catalogue says of related tables, checked against what the settings say of them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.catalog import existing, noted, read_table
from syncer.adapters.postgres.session import Session, sqlstate
from syncer.core.error import ConfigurationError
from syncer.core.relation import DeclaredJoin, DeclaredRelation, Join, Relation
from syncer.core.suggestion import suggestion
from syncer.core.table import Table

#: Of a path of relations: it is part of names in the hydration statement, which Postgres cuts off at 63.
_PATH_BYTES_MAX = 48
_NO_OPERATOR = ("42883", "42725")

_IS_LOOSE = text("""
SELECT NOT o.collisdeterministic
  FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_collation AS o ON o.oid = a.attcollation
 WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column
""")


def read_relations(
    session: Session, table: Table, declared: Mapping[str, DeclaredRelation], *, setting: str, path: str = ""
) -> Mapping[str, Relation]:
    """Return a table's relations by name, with those of their own tables in them.

    setting: what the configuration calls the table's section, like `pipelines.articles`. path: the relations that the
    table is reached by. Raises ConfigurationError, which names the setting, where a table or column is not there or
    cannot serve.
    """
    return {
        name: _relation(session, table, name, wish, f"{setting}.relations.{name}", f"{path}.{name}".lstrip("."))
        for name, wish in declared.items()
    }


def _relation(
    session: Session, table: Table, name: str, declared: DeclaredRelation, setting: str, path: str
) -> Relation:
    if len(path.encode()) > _PATH_BYTES_MAX:
        raise ConfigurationError(
            f"{setting}: the path {path} is longer than {_PATH_BYTES_MAX} bytes", hint="give relations shorter names"
        )
    joins: list[Join] = []
    before = table
    for place, wish in enumerate(declared.joins):
        last = place == len(declared.joins) - 1
        joins.append(_join(session, before, wish, setting if last else f"{setting}.through[{place}]"))
        before = joins[-1].table
    if name in table.columns and name not in {column for column, _ in joins[0].on}:
        raise ConfigurationError(
            f"{setting}: {table} has a column {name} too, which the relation would hide",
            hint="give the relation another name",
        )
    relations = read_relations(session, before, declared.relations, setting=setting, path=path)
    for column in declared.columns or ():
        if column not in before.columns and column not in relations:
            raise ConfigurationError(
                f"{setting}.columns: {before} has no column {column}",
                hint=suggestion(column, [*before.columns, *relations]),
            )
    for order in declared.order:
        column_type = existing(before, order.column, f"{setting}.order_by").sql_type
        with session.use() as connection:
            if not _accepted(connection, f"SELECT FROM (SELECT CAST(NULL AS {column_type}) AS x) AS t ORDER BY x"):
                raise ConfigurationError(
                    f"{setting}.order_by: {before}.{order.column} is of type {column_type}, which has no order",
                    hint="name another column",
                )
    return Relation(name, tuple(joins), declared.many, declared.order, declared.limit, declared.columns, relations)


def _join(session: Session, before: Table, declared: DeclaredJoin, setting: str) -> Join:
    table = read_table(
        session,
        declared.table,
        key=declared.key,
        watermark=declared.watermark,
        watermark_zone=declared.watermark_zone,
        soft_delete=declared.soft_delete,
        where=declared.where,
        routing=None,
        setting=setting,
    )
    with session.use() as connection:
        for other, column in declared.on.items():
            ours, theirs = existing(before, other, f"{setting}.on"), noted(table, column, f"{setting}.on")
            # With casts that Postgres makes by itself.
            if not _accepted(connection, f"SELECT CAST(NULL AS {ours.sql_type}) = CAST(NULL AS {theirs.sql_type})"):
                raise ConfigurationError(
                    f"{setting}.on: {before}.{other} is of type {ours.sql_type}, {table}.{column} of type "
                    f"{theirs.sql_type}, which Postgres does not compare",
                    hint="name columns of one type, or add a generated column of that type",
                )
            if connection.scalar(_IS_LOOSE, {"schema": table.schema, "table": table.name, "column": column}):
                raise ConfigurationError(
                    f"{setting}.on: {table}.{column} has a nondeterministic collation: what triggers note of one row "
                    "may be written otherwise than in the rows that are equal to it",
                    hint="name columns of deterministic collations, or add a generated column of one",
                )
    return Join(table, tuple(declared.on.items()))


def _accepted(connection: Connection, statement: str) -> bool:
    """Tell whether the types in a statement have its operators."""
    try:
        connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if not sqlstate(error).startswith(_NO_OPERATOR):
            raise
        return False
    return True
