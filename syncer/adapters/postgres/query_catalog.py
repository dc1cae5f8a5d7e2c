"""What the server says of a query that stands in a table's place, checked against what the settings say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.catalog import check_rows, described_columns
from syncer.adapters.postgres.expression import check_stable_query, is_rejected
from syncer.adapters.postgres.session import Session, reason_of
from syncer.core.error import ConfigurationError
from syncer.core.table import Column, Table

_HINT = "it must be one SELECT, as it could stand in FROM (…)"


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
