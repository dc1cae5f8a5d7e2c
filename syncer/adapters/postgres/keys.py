"""Keys in their own order: of a table or a part of it, and those that somebody lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, select, tuple_
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.expression import check_condition
from syncer.adapters.postgres.feed import watermark_value
from syncer.adapters.postgres.session import Session, reason_of, sqlstate
from syncer.adapters.postgres.sql import (
    SqlType,
    condition,
    has_key,
    key_bound,
    key_list_values,
    key_of,
    key_parts,
    key_texts,
    key_values,
    listed_keys,
    named,
    number,
    relation,
    text_of,
)
from syncer.core.error import ConfigurationError
from syncer.core.key import Key, document_id, parse_document_id
from syncer.core.key_range import KeyRange
from syncer.core.source_state import Observation
from syncer.core.table import Table


class PostgresKeyFeed:
    """Implements `TableKeys` on a table, or on its rows that meet `where`, or whose watermark is not below `since`."""

    def __init__(
        self,
        session: Session,
        table: Table,
        where: str | None = None,
        since: datetime | None = None,
        *,
        option: str = "--where",
    ) -> None:
        """where: a condition in SQL; option: what the user knows it by. Raises ConfigurationError where it is wrong."""
        self._session = session
        self._table = table
        self._where = where
        self._since = since
        if where is not None:
            with session.use() as connection:
                check_condition(connection, table, where, option)

    def read(self, after: Key | None, through: Key | None, rows: int) -> Sequence[Key]:
        """Return up to so many keys above `after` and not above `through`, in order; None: no bound."""
        with self._session.use() as connection:
            statement = self._keys(after, through).limit(number(rows))
            found = connection.execute(statement, self._values(after, through)).all()
        return [key_of(row, self._table) for row in found]

    def divide(self, rows: int) -> Iterator[KeyRange]:
        """Yield adjoining ranges of about so many rows that cover every key there is and will be, in order.

        Steps through the key's index. Rejected: one statement with row_number(), whose snapshot would hold back the
        vacuum of a large table for as long as it takes.
        """
        count, after = 0, None
        with self._session.use() as connection:
            while through := self._step(connection, after, rows):
                yield KeyRange(count, after, through, rows)
                count, after = count + 1, through
            rest = select(func.count()).select_from(self._keys(after, None).limit(number(rows)).subquery("keys"))
            left = connection.execute(rest, self._values(after, None)).scalar_one()
            yield KeyRange(count, after, None, left)

    def _step(self, connection: Connection, after: Key | None, rows: int) -> Key | None:
        """Return the key that is so many rows above `after`."""
        statement = self._keys(after, None).offset(number(rows - 1)).limit(number(1))
        row = connection.execute(statement, self._values(after, None)).one_or_none()
        return None if row is None else key_of(row, self._table)

    def _keys(self, after: Key | None, through: Key | None) -> Select[*tuple[Any, ...]]:
        table, source = self._table, relation(self._table)
        columns = named(table, source)
        key = tuple_(*key_parts(table, columns))
        statement: Select[*tuple[Any, ...]] = (
            select(*key_texts(table, columns))
            .select_from(source)
            .where(*has_key(table, columns))
            .order_by(*key_parts(table, columns))
        )
        if after is not None:
            statement = statement.where(key > tuple_(*key_bound(table, "after")))
        if through is not None:
            statement = statement.where(key <= tuple_(*key_bound(table, "through")))
        if self._since is not None:
            watermark = table.watermark_column
            statement = statement.where(
                columns[watermark.name] >= bindparam("since", type_=SqlType(watermark.sql_type))
            )
        if self._where is not None:
            statement = statement.where(condition(self._where))
        return statement

    def _values(self, after: Key | None, through: Key | None) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if after is not None:
            values |= key_values("after", after)
        if through is not None:
            values |= key_values("through", through)
        if self._since is not None:
            since = self._since
            if self._table.watermark_zone is not None:
                since = Observation(since, {}).on_wall_clock(self._table.watermark_zone).clock
            values["since"] = watermark_value(self._table, since)
        return values


class PostgresKeyList:
    """Implements `KeyFeed` on keys that somebody lists as document ids. Keys that are not in the table are among them:
    delivering one removes its document."""

    def __init__(self, session: Session, table: Table, ids: Sequence[str], *, option: str = "--ids") -> None:
        """option: what the user knows them by."""
        self._session = session
        self._table = table
        self._ids = ids
        self._option = option

    def read(self, after: Key | None, through: Key | None, rows: int) -> Sequence[Key]:
        """Return up to so many keys above `after` and not above `through`, both of them keys of this feed.

        Raises ConfigurationError where an id cannot be a key of the table.
        """
        start = 0 if after is None else self._places[after] + 1
        end = len(self._places) if through is None else self._places[through] + 1
        return list(self._places)[start : min(end, start + rows)]

    @cached_property
    def _places(self) -> dict[Key, int]:
        """Every key as Postgres writes it, once, with its place in the database's order."""
        keys = {self._parsed(id_): id_ for id_ in self._ids}
        with self._session.use() as connection:
            found = self._canonical(connection, list(keys))
        return {key: place for place, key in enumerate(dict.fromkeys(found))}

    def _parsed(self, id_: str) -> Key:
        try:
            if "\0" in id_:
                raise ValueError("a key holds no NUL")
            id_.encode()
            return parse_document_id(id_, len(self._table.key))
        except ValueError as error:
            raise self._impossible(id_, str(error)) from error

    def _canonical(self, connection: Connection, keys: Sequence[Key]) -> Sequence[Key]:
        try:
            rows = connection.execute(_canonical(self._table), key_list_values(self._table, keys)).all()
            return [key_of(row, self._table) for row in rows]
        except DBAPIError as error:
            if not sqlstate(error).startswith("22"):
                raise
            if len(keys) == 1:
                raise self._impossible(document_id(keys[0]), reason_of(error)) from error
        # One of them is not of the key's type; find out which, for not every message names it.
        for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            self._canonical(connection, half)
        raise AssertionError("both halves can be keys, and all of them together cannot")

    def _impossible(self, id_: str, reason: str) -> ConfigurationError:
        types = ", ".join(f"{name} {self._table.columns[name].sql_type}" for name in self._table.key)
        return ConfigurationError(
            f"{self._option}: {id_!r} cannot be a key of {self._table}: {reason}", hint=f"its key is {types}"
        )


def _canonical(table: Table) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of the listed keys, each as its row writes it where there is one: 'ABC' for 'abc' in citext."""
    listed, rows = listed_keys(table), relation(table)
    pairs = list(zip(listed.c, key_parts(table, named(table, rows)), strict=True))
    texts = [func.coalesce(text_of(mine), text_of(given)) for given, mine in pairs]
    joined = listed.outerjoin(rows, and_(*(given == mine for given, mine in pairs)))
    return select(*texts).select_from(joined).order_by(*listed.c)
