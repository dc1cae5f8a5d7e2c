"""What triggers have noted of one table: reading it page by page, and pruning it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Row,
    Select,
    Text,
    bindparam,
    column,
    delete,
    select,
    table,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.remedy import grant_tombstones
from syncer.adapters.postgres.session import Session, sqlstate
from syncer.adapters.postgres.sql import constant, number, quoted
from syncer.adapters.postgres.tables import TOMBSTONES, qualified
from syncer.adapters.postgres.triggers import TombstoneTriggers
from syncer.core.error import AccessDenied, SchemaMismatch
from syncer.core.position import START, Position
from syncer.core.table import Table

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")

_TIME = DateTime(timezone=True)
#: No such table, or schema.
_MISSING = ("42P01", "3F000")

# Which columns the tombstones have: those of an earlier version have fewer.
_ARE_INSTALLED = """
       EXISTS (SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                WHERE n.nspname = :schema AND p.proname = :function)
   AND EXISTS (SELECT FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
                                             JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE n.nspname = :schema AND c.relname = :table AND a.attname = :column)
"""
_INSTALLED = text(f"SELECT {_ARE_INSTALLED}")

# By the catalogue, not by to_regclass(): that fails for a role that may not use the schema.
_PRUNABLE = text("""
SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE n.nspname = :schema AND c.relname = :table AND has_schema_privilege(n.oid, 'USAGE')
                  AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'DELETE'))
""")


class TombstoneTable:
    """Implements `Tombstones` on what `TombstoneTriggers` note of one table.

    The triggers may be installed and removed while it is read.
    """

    def __init__(self, session: Session, source: Table, schema: str, noted: str = "routing") -> None:
        """schema: of the tombstones. noted: the column that is read beside the key."""
        self._session = session
        self._source = source
        self._schema = schema
        self._noted = noted
        self._function = TombstoneTriggers(source, schema).function
        self._rows = table(
            quoted(TOMBSTONES),
            column("id", BigInteger),
            column("at", _TIME),
            column("relation", Text),
            column("key", ARRAY(Text)),
            column("routing", Text),
            column("columns", JSONB),
            schema=quoted(schema),
        )
        self._installed = False

    @property
    def name(self) -> str:
        return f"{self._schema}.{TOMBSTONES} of {self._source}"

    def read(self, connection: Connection, start: Position, until: datetime, rows: int) -> Sequence[Row[Any]]:
        """Return up to so many from `start`, none above `until`: id, at, key and the column; none, without triggers.

        connection: lent by the session.
        """
        if not self._is_installed(connection):
            return ()
        try:
            return connection.execute(self._page(start, rows), self._values(start, until)).all()
        except DBAPIError as error:
            # Asked again from the next poll on: a statement that fails each second would fill the server's log.
            self._installed = sqlstate(error) not in _MISSING
            if not self._installed:
                return ()
            if sqlstate(error) == "42501":
                raise self._denied(connection) from error
            raise

    def first(self) -> Select[Any]:
        """Return the SELECT of the first one, from the parameter `start` on and not above the parameter `until`.

        Where the last `read` found no triggers: of a row if they are there now.
        """
        if self._installed:
            return self._page(START, 1)
        values = [bindparam(name, value, Text, unique=True) for name, value in self._names.items()]
        return select(number(1)).where(text(_ARE_INSTALLED).bindparams(*values))

    def prune(self, before: datetime, rows: int) -> int:
        """Delete up to so many that were stamped before; return how many.

        Nothing where there are no tombstones, or where this role may not delete them: `trigger_facts` tells that.
        """
        with self._session.use() as connection:
            if not connection.scalar(_PRUNABLE, {"schema": self._schema, "table": TOMBSTONES}):
                return 0
        columns = self._rows.c
        oldest = (
            select(columns.id)
            .where(self._is_ours, columns.at < bindparam("before", type_=_TIME))
            .order_by(columns.at, columns.id)
            .limit(number(rows))
        )
        try:
            with self._session.transaction() as connection:
                connection.execute(text("SET TRANSACTION READ WRITE"))
                pruned = connection.execute(delete(self._rows).where(columns.id.in_(oldest)), {"before": before})
                return pruned.rowcount
        except SchemaMismatch:  # dropped since it was looked for
            return 0

    def _is_installed(self, connection: Connection) -> bool:
        """Tell whether the triggers' function is there, or was when it was last asked.

        Not whether the table of tombstones is, alone: another pipeline may use it, and this role not be meant to read
        it.
        """
        if not self._installed:
            self._installed = bool(connection.scalar(_INSTALLED, self._names))
        return self._installed

    def _page(self, start: Position, rows: int) -> Select[Any]:
        columns = self._rows.c
        place = tuple_(columns.at, columns.id)
        after = tuple_(bindparam("start", type_=_TIME), bindparam("after", type_=BigInteger))
        above = columns.at >= bindparam("start", type_=_TIME) if start.key is None else place > after
        return (
            select(columns.id, columns.at, columns.key, columns[self._noted])
            .where(self._is_ours, above, columns.at <= bindparam("until", type_=_TIME))
            .order_by(columns.at, columns.id)
            .limit(number(rows))
        )

    def _values(self, start: Position, until: datetime) -> dict[str, Any]:
        values: dict[str, Any] = {"start": start.watermark, "until": until}
        return values if start.key is None else values | {"after": int(start.key[0])}

    @property
    def _names(self) -> dict[str, str]:
        return {"schema": self._schema, "function": self._function, "table": TOMBSTONES, "column": self._noted}

    @property
    def _is_ours(self) -> ColumnElement[bool]:
        return self._rows.c.relation == constant(str(self._source))

    def _denied(self, connection: Connection) -> AccessDenied:
        role = connection.scalar(text("SELECT current_user"))
        tombstones = qualified(self._schema, TOMBSTONES)
        return AccessDenied(
            f"{self._session.setting}: {role} may not read {tombstones}, where triggers note what is deleted from "
            f"{self._source}",
            hint=grant_tombstones(self._schema, str(role)),
        )


def position_of(tombstone: Row[Any]) -> Position:
    """Return a tombstone's place in its feed."""
    return Position(tombstone.at.replace(tzinfo=UTC), (str(tombstone.id),))


def read_castable(read: Callable[[Sequence[_Item]], Sequence[_Found]], items: Sequence[_Item]) -> Sequence[_Found]:
    """Return what is read of all items but those whose text is no value of a column any more, in their order.

    One such would let the statement fail: it is looked for by halves.
    """
    if not items:
        return []
    try:
        return read(items)
    except DBAPIError as error:
        if not sqlstate(error).startswith("22"):
            raise
        if len(items) == 1:
            return []
    half = len(items) // 2
    return [*read_castable(read, items[:half]), *read_castable(read, items[half:])]
