"""What the server says of a query that stands in a table's place, checked against what the settings say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.catalog import check_rows, described_columns
from syncer.adapters.postgres.expression import check_stable_query, is_rejected
from syncer.adapters.postgres.session import Session, reason_of
from syncer.core.error import AccessDenied, ConfigurationError
from syncer.core.table import Column, Table

_HINT = "it must be one SELECT, as it could stand in FROM (…)"

# What a view reads, its rule depends on.
_VIEW = "syncer_query"
_READ_BY_VIEW = text("""
SELECT DISTINCT n.nspname AS schema, c.relname AS name
  FROM pg_rewrite AS r JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
  JOIN pg_class AS c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid AND c.oid <> r.ev_class
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE r.ev_class = to_regclass(:view)
 ORDER BY 1, 2
""")


def read_query(
    session: Session, query: str, *, key: Sequence[str], soft_delete: str | None, where: str | None, setting: str
) -> Table:
    """Return what a query gives as if it were a table. It is not run, but takes the right to read its tables.

    setting: what the configuration calls the pipeline, like `pipelines.articles`. Raises ConfigurationError, which
    names the setting, where it is no query, or a column is not there or cannot serve.
    """
    query = query.strip().removesuffix(";").rstrip()
    with session.use() as connection:
        try:
            columns = _columns(connection, query, f"{setting}.query")
        except DBAPIError as error:
            if not is_rejected(error):
                raise
            raise ConfigurationError(f"{setting}.query: {reason_of(error)}", hint=_HINT) from error
        table = Table(
            setting, "query", columns, tuple(key), watermark=None, soft_delete=soft_delete, where=where, query=query
        )
        # First: the plan of a condition over it would show the same.
        check_stable_query(connection, table, query, f"{setting}.query")
        check_rows(connection, table, setting)
    return table


def relations_of(session: Session, table: Table) -> Sequence[tuple[str, str]]:
    """Return the tables and views that a query reads, as schema and name: a temporary view of it, which takes no right
    to read them, is made and dropped. Raises AccessDenied where the role may not make one."""
    try:
        with session.transaction() as connection:
            connection.execute(text("SET TRANSACTION READ WRITE"))
            connection.exec_driver_sql(
                f'CREATE TEMPORARY VIEW "{_VIEW}" AS {table.query}', execution_options={"no_parameters": True}
            )
            found = connection.execute(_READ_BY_VIEW, {"view": f"pg_temp.{_VIEW}"}).all()
            connection.exec_driver_sql(f'DROP VIEW "pg_temp"."{_VIEW}"')
    except AccessDenied as error:
        raise AccessDenied(
            error.message,
            hint="what the query reads is found by a temporary view of it: GRANT TEMPORARY ON DATABASE … TO the role, "
            "or let another one run this command",
        ) from error
    return [(row.schema, row.name) for row in found]


def _columns(connection: Connection, query: str, setting: str) -> Mapping[str, Column]:
    # Planned, and not run.
    described = connection.exec_driver_sql(
        f'SELECT * FROM ({query}\n) AS "query" LIMIT 0', execution_options={"no_parameters": True}
    )
    result = described.cursor.pgresult
    fields = range(result.nfields)
    # Not the driver's description, which leaves out what tells columns of points from other geometries.
    names = [result.fname(i).decode() for i in fields]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ConfigurationError(
            f"{setting}: two of its columns are called {twice[0]}", hint="give one of them another name: … AS …"
        )
    return described_columns(connection, names, [result.ftype(i) for i in fields], [result.fmod(i) for i in fields])
