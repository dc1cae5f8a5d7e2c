"""What triggers have noted of rows that are gone from a table, as a feed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

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
    func,
    select,
    table,
    text,
    tuple_,
)
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.remedy import grant_tombstones
from syncer.adapters.postgres.session import Session, sqlstate
from syncer.adapters.postgres.sql import (
    constant,
    key_list_values,
    key_lists,
    number,
    quoted,
    text_of,
)
from syncer.adapters.postgres.tables import TOMBSTONES, qualified
from syncer.adapters.postgres.triggers import TombstoneTriggers
from syncer.core.change import WHOLE_TABLE, Change, Page
from syncer.core.error import AccessDenied, SchemaMismatch
from syncer.core.key import Key
from syncer.core.position import Position
from syncer.core.table import Table

_TIME = DateTime(timezone=True)
#: No such table, or schema.
_MISSING = ("42P01", "3F000")

_INSTALLED = text("""
SELECT EXISTS (SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                WHERE n.nspname = :schema AND p.proname = :function)
""")

# By the catalogue, not by to_regclass(): that fails for a role that may not use the schema.
_PRUNABLE = text("""
SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE n.nspname = :schema AND c.relname = :table AND has_schema_privilege(n.oid, 'USAGE')
                  AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'DELETE'))
""")


class PostgresTombstones:
    """Implements `ChangeFeed` and `Tombstones` on what `TombstoneTriggers` note of one table.

    The triggers may be installed and removed while it is read.
    """

    def __init__(self, session: Session, source: Table, schema: str) -> None:
        """schema: of the tombstones."""
        self._session = session
        self._source = source
        self._schema = schema
        self._function = TombstoneTriggers(source, schema).function
        self._rows = table(
            quoted(TOMBSTONES),
            column("id", BigInteger),
            column("at", _TIME),
            column("relation", Text),
            column("key", ARRAY(Text)),
            column("routing", Text),
            schema=quoted(schema),
        )
        self._installed = False

    @property
    def name(self) -> str:
        return f"{self._schema}.{TOMBSTONES} of {self._source}"

    @property
    def watermark_zone(self) -> str | None:
        return None

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        """Return up to so many changes from `start`, none above `until`; an empty page where there are no triggers.

        A key that was noted before the key's columns changed may be none any more. It is left out: a tombstone is a
        hint, and what it meant then no document is called by now.
        """
        with self._session.use() as connection:
            if not self._is_installed(connection):
                return Page(())
            try:
                found = connection.execute(self._page(start, rows), self._values(start, until)).all()
            except DBAPIError as error:
                # Asked again from the next poll on: a statement that fails each second would fill the server's log.
                self._installed = sqlstate(error) not in _MISSING
                if not self._installed:
                    return Page(())
                if sqlstate(error) == "42501":
                    raise self._denied(connection) from error
                raise
            keys = self._keys(connection, found)
        changes = [self._change(row, key) for row, key in zip(found, keys, strict=True) if key is not None]
        # Of what was found, not of what is left of it.
        last = found[-1] if len(found) == rows else None
        return Page(changes, None if last is None else Position(last.at.replace(tzinfo=UTC), (str(last.id),)))

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

        Not whether the table of tombstones is: another pipeline may use it, and this role not be meant to read it.
        """
        if not self._installed:
            names = {"schema": self._schema, "function": self._function}
            self._installed = bool(connection.scalar(_INSTALLED, names))
        return self._installed

    def _page(self, start: Position, rows: int) -> Select[Any]:
        columns = self._rows.c
        place = tuple_(columns.at, columns.id)
        after = tuple_(bindparam("start", type_=_TIME), bindparam("after", type_=BigInteger))
        above = columns.at >= bindparam("start", type_=_TIME) if start.key is None else place > after
        return (
            select(columns.id, columns.at, columns.key, columns.routing)
            .where(self._is_ours, above, columns.at <= bindparam("until", type_=_TIME))
            .order_by(columns.at, columns.id)
            .limit(number(rows))
        )

    def _values(self, start: Position, until: datetime) -> dict[str, Any]:
        values: dict[str, Any] = {"start": start.watermark, "until": until}
        return values if start.key is None else values | {"after": int(start.key[0])}

    @property
    def _is_ours(self) -> ColumnElement[bool]:
        return self._rows.c.relation == constant(str(self._source))

    def _change(self, row: Row[Any], key: Key) -> Change:
        return Change(
            key,
            row.at.replace(tzinfo=UTC),
            # A tombstone is never changed.
            row_version="",
            row=(str(row.id),),
            # An earlier configuration may have had one.
            routing=row.routing if self._source.routing else None,
        )

    def _keys(self, connection: Connection, rows: Sequence[Row[Any]]) -> Sequence[Key | None]:
        """Return each row's key as the table writes it now, and None where it cannot be one."""
        parts = len(self._source.key)
        noted = {tuple(row.key) for row in rows if row.key is not None}
        possible = [key for key in noted if len(key) == parts and None not in key]
        written = dict(zip(possible, self._written(connection, possible), strict=True))
        return [WHOLE_TABLE if row.key is None else written.get(tuple(row.key)) for row in rows]

    def _written(self, connection: Connection, keys: Sequence[Key]) -> Sequence[Key | None]:
        if not keys:
            return []
        try:
            found = connection.execute(_cast(self._source), key_list_values(self._source, keys)).all()
            return [tuple(row) for row in found]
        except DBAPIError as error:
            if not sqlstate(error).startswith("22"):
                raise
            if len(keys) == 1:
                return [None]
        half = len(keys) // 2
        return [*self._written(connection, keys[:half]), *self._written(connection, keys[half:])]

    def _denied(self, connection: Connection) -> AccessDenied:
        role = connection.scalar(text("SELECT current_user"))
        tombstones = qualified(self._schema, TOMBSTONES)
        return AccessDenied(
            f"{self._session.setting}: {role} may not read {tombstones}, where triggers note what is deleted from "
            f"{self._source}",
            hint=grant_tombstones(self._schema, str(role)),
        )


def _cast(source: Table) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of the keys in `key_lists` as text, in their order."""
    names = [f"key_{i + 1}" for i in range(len(source.key))]
    listed = func.unnest(*key_lists(source)).table_valued(*names, with_ordinality="place").render_derived(name="listed")
    return select(*(text_of(listed.c[name]) for name in names)).order_by(listed.c.place)
