"""All rows as document ids and hashes, in the order of the ids: the source's half of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from threading import Lock
from typing import Any

from sqlalchemy import ColumnElement, Connection, CursorResult, Select, func, select, text
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.document import (
    ROW_CAUSED,
    document_body,
    document_columns,
    document_hash,
    document_routing,
)
from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.session import Session, sqlstate, transaction
from syncer.adapters.postgres.sql import (
    Columns,
    constant,
    key_list_values,
    key_of,
    key_parts,
    key_texts,
    listed_keys,
    number,
    relation,
    short_columns,
    text_of,
    written_out,
)
from syncer.adapters.postgres.tables import qualified
from syncer.core.comparison import Digest
from syncer.core.error import SourceUnavailable
from syncer.core.field import Field
from syncer.core.key import Key, document_id, parse_document_id
from syncer.core.table import Table

_PAGE_ROWS = 10_000
#: Rows of the slow way that are hydrated together.
_BATCH_ROWS = 1_000

#: For the one statement: it sorts for as long as it takes, and waits while differences are looked at.
_UNLIMITED = text("""
SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),
       set_config('cursor_tuple_fraction', '1', true)
""")
#: A key that is not of its column's type, or that a domain refuses.
_NOT_OF_THE_TYPE = ("22", "23")
_ESTIMATE = text("SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(:name)")
_EXPLAIN = "EXPLAIN (FORMAT JSON) "


class PostgresDigests:
    """Implements `SourceDigests`, on connections of its own."""

    def __init__(
        self, open_session: Callable[[], Session], table: Table, fields: Sequence[Field], routing: Field | None = None
    ) -> None:
        """routing: as for `PostgresDocuments`."""
        self._table = table
        #: For the statement that runs all the while, on whatever thread reads it.
        self._scan = open_session()
        #: For the rows of the slow way, on the same thread.
        self._rows = open_session()
        #: For questions in between.
        self._questions = open_session()
        self._documents = PostgresDocuments(self._rows, table, fields, (), routing)
        self._statement = written_out(_statement(table, fields, routing))
        self._keys_statement = written_out(_keys_statement(table))
        self._lock = Lock()
        #: Interrupts the statement that runs, if one does.
        self._interrupt: Callable[[], None] | None = None
        self._cancelled = False

    def rows(self) -> int:
        """Return about how many rows there are; see `ports.SourceDigests`."""
        name = qualified(self._table.schema, self._table.name)
        with self._questions.use() as connection:
            if self._table.derived:
                every = select(number(1)).select_from(relation(self._table))
                [explained] = _execute(connection, _EXPLAIN + written_out(every)).scalar_one()
                return int(explained["Plan"]["Plan Rows"])
            return int(connection.execute(_ESTIMATE, {"name": name}).scalar() or 0)

    def pages(self) -> Iterator[Sequence[Digest]]:
        """Yield all rows that have a document, and unreadable ones without hash; see `ports.SourceDigests`.

        One statement in a read-only transaction. A row that it fails on is found by going through the keys in their
        order and hydrating them, which takes several times as long.
        """
        last: str | None = None
        try:
            for page in self._read("digests", self._statement):
                last = page[-1][0]
                yield page
        except _RowFails:
            yield from self._one_by_one(last)

    def cancel(self) -> None:
        """Let `pages` raise SourceUnavailable soon; from any thread. Never raises."""
        self._cancelled = True
        with self._lock:
            if self._interrupt is not None:
                self._interrupt()

    def keys(self, ids: Sequence[str]) -> Mapping[str, Key]:
        """Return the keys that document ids stand for; see `ports.SourceDigests`."""
        parsed = {id_: key for id_ in ids if (key := self._parsed(id_)) is not None}
        with self._questions.use() as connection:
            possible = set(self._possible(connection, list(parsed.values())))
        return {id_: key for id_, key in parsed.items() if key in possible}

    def close(self) -> None:
        """Disconnect. Never raises."""
        for session in (self._scan, self._rows, self._questions):
            session.close()

    def _read(self, cursor: str, statement: str) -> Iterator[list[Any]]:
        """Yield the rows of a statement in pages, as plain tuples, through a cursor of this name. Raises _RowFails."""
        with self._scan.use() as connection, transaction(connection), self._cancellable(connection):
            connection.execute(_UNLIMITED)
            _execute(connection, f"DECLARE {cursor} NO SCROLL CURSOR FOR {statement}")
            while page := self._fetch(connection, cursor):
                yield page

    def _fetch(self, connection: Connection, cursor: str) -> list[Any]:
        if self._cancelled:
            raise SourceUnavailable(f"the comparison of {self._table} was interrupted")
        try:
            result = _execute(connection, f"FETCH FORWARD {_PAGE_ROWS} FROM {cursor}")
        except DBAPIError as error:
            if sqlstate(error).startswith(ROW_CAUSED):
                raise _RowFails from error
            raise
        # Not through SQLAlchemy's rows, which would take longer than all the rest.
        return list(result.cursor.fetchall())

    @contextmanager
    def _cancellable(self, connection: Connection) -> Iterator[None]:
        driver: Any = connection.connection.driver_connection
        failed = connection.dialect.loaded_dbapi.Error

        def interrupt() -> None:
            # Where the server cannot be reached, the statement is not waited for either.
            with suppress(failed):
                driver.cancel_safe(timeout=1)

        with self._lock:
            self._interrupt = interrupt
        try:
            yield
        finally:
            with self._lock:
                self._interrupt = None

    def _one_by_one(self, after: str | None) -> Iterator[Sequence[Digest]]:
        """Yield the rows above an id as `pages` does, each batch hydrated: of a row that fails the rest is read."""
        for page in self._read("keys", self._keys_statement):
            ids = {key_of(row[1:], self._table): row[0] for row in page if after is None or row[0] > after}
            keys = iter(ids)
            while batch := list(islice(keys, _BATCH_ROWS)):
                hydration = self._documents.hydrate(batch)
                hashes: dict[Key, int | None] = dict.fromkeys(hydration.unreadable)
                hashes |= {draft.key: draft.hash for draft in hydration.drafts}
                routings = {draft.key: draft.routing or "" for draft in hydration.drafts}
                yield [(ids[key], hashes[key], routings.get(key, "")) for key in batch if key in hashes]

    def _parsed(self, id_: str) -> Key | None:
        try:
            id_.encode()
            key = parse_document_id(id_, len(self._table.key))
        except ValueError:
            return None
        # An id may be escaped in a way that is not ours; and no text in Postgres holds a NUL.
        return key if document_id(key) == id_ and "\0" not in id_ else None

    def _possible(self, connection: Connection, keys: Sequence[Key]) -> Sequence[Key]:
        """Return those of the keys that are of the key's type."""
        if not keys:
            return []
        try:
            # Counted, not fetched: the driver cannot read all that Postgres can, such as a date of infinity.
            counts = select(*map(func.count, listed_keys(self._table).c))
            connection.execute(counts, key_list_values(self._table, keys)).one()
        except DBAPIError as error:
            if not sqlstate(error).startswith(_NOT_OF_THE_TYPE):
                raise
            if len(keys) == 1:
                return []
            half = len(keys) // 2
            return [*self._possible(connection, keys[:half]), *self._possible(connection, keys[half:])]
        return keys


class _RowFails(Exception):
    """The statement over all rows fails on one of them."""


def _statement(table: Table, fields: Sequence[Field], routing: Field | None) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of all ids, hashes and routings; in two levels like that of hydration."""
    columns = document_columns(table, fields, routing)
    rows = (
        select(
            _id(table, columns).label("id"),
            document_body(table, fields, columns).label("body"),
            document_routing(table, columns, routing).label("routing"),
        )
        .select_from(relation(table))
        .offset(number(0))
        .subquery("rows")
    )
    found = select(rows.c.id, document_hash(rows.c.body), rows.c.routing)
    return found.where(rows.c.body.is_not(None), rows.c.id.is_not(None)).order_by(_in_code_points(rows.c.id))


def _keys_statement(table: Table) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of all ids and keys."""
    columns = short_columns(table)
    rows = (
        select(_id(table, columns).label("id"), *key_texts(table, columns))
        .select_from(relation(table))
        .subquery("rows")
    )
    return select(*rows.c).where(rows.c.id.is_not(None)).order_by(_in_code_points(rows.c.id))


def _id(table: Table, columns: Columns) -> ColumnElement[str]:
    r"""Return `core.key.document_id` in SQL: the parts joined by `|`, with `|` and `\` in them escaped by `\`."""
    parts: list[ColumnElement[str]] = [text_of(part) for part in key_parts(table, columns)]
    if len(parts) == 1:
        return parts[0]
    joined, *rest = (_escaped(part) for part in parts)
    for part in rest:
        joined = joined.concat(constant("|")).concat(part)
    return joined


def _escaped(part: ColumnElement[str]) -> ColumnElement[str]:
    # Nothing can be replaced under a nondeterministic collation; by bytes it means the same under any.
    doubled = func.replace(part.collate("C"), constant("\\"), constant("\\\\"))
    return func.replace(doubled, constant("|"), constant("\\|"))


def _in_code_points(id_: ColumnElement[str]) -> ColumnElement[bytes]:
    """Order by code points, as Elasticsearch and Python do. COLLATE "C" is that in UTF-8 databases alone."""
    return func.convert_to(id_, constant("UTF8"))


def _execute(connection: Connection, statement: str) -> CursorResult[Any]:
    # Without parameters a percent sign is one.
    return connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
