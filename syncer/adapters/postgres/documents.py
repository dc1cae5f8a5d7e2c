"""Hydration: what rows are now, as JSON documents that Postgres writes itself."""

from __future__ import annotations

from collections.abc import Sequence
from string import Formatter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Label,
    Row,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.session import Session, reason_of, sqlstate
from syncer.adapters.postgres.sql import (
    Columns,
    SqlType,
    condition,
    constant,
    key_is_listed,
    key_list_values,
    key_texts,
    number,
    quoted,
    readable,
    relation,
    short_columns,
    text_of,
)
from syncer.adapters.postgres.value import document_value, holds_foreign_json
from syncer.core.change import Draft, Hydration
from syncer.core.error import ConfigurationError
from syncer.core.field import Field, VectorField
from syncer.core.key import Key
from syncer.core.suggestion import suggestion
from syncer.core.table import Table

#: SQLSTATEs, or classes of them, that a value in a row can cause: a value out of range or malformed, a document too
#: large, a function of the user's that raises, a row damaged on disk.
_ROW_CAUSED = ("22", "54", "P0001", "XX001")


class PostgresDocuments:
    """Implements `Documents`."""

    def __init__(self, session: Session, table: Table, fields: Sequence[Field], vectors: Sequence[VectorField]) -> None:
        """Raises ConfigurationError where a template names no field."""
        self._session = session
        self._table = table
        self._vectors = vectors
        self._select = _statement(table, fields, vectors)

    @property
    def statement(self) -> str:
        """The statement as people read it: what a document is made of, for the fingerprint too."""
        return readable(self._select)

    def hydrate(self, keys: Sequence[Key]) -> Hydration:
        """Return what the keys are now; a row that Postgres cannot read, or write as JSON, is unreadable.

        One statement, but where a row makes it fail: then one for each half of the keys, until that row is found.
        Raises SourceUnavailable, SchemaMismatch, AccessDenied: also where row level security would hide rows.
        """
        unreadable: dict[Key, str] = {}
        with self._session.use() as connection:
            rows = self._rows(connection, keys, unreadable)
        return Hydration(self._drafts(rows, set(keys)), unreadable)

    def _rows(
        self, connection: Connection, keys: Sequence[Key], unreadable: dict[Key, str]
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        try:
            return connection.execute(self._select, key_list_values(self._table, keys)).all()
        except DBAPIError as error:
            if not sqlstate(error).startswith(_ROW_CAUSED):
                raise
            if len(keys) == 1:
                unreadable[keys[0]] = reason_of(error)
                return []
        half = len(keys) // 2
        return [*self._rows(connection, keys[:half], unreadable), *self._rows(connection, keys[half:], unreadable)]

    def _drafts(self, rows: Sequence[Row[*tuple[Any, ...]]], asked: set[Key]) -> list[Draft]:
        parts, names = len(self._table.key), [vector.name for vector in self._vectors]
        drafts = []
        for row in rows:
            key = tuple(row[:parts])
            # An equal key that is written in another way ('1.0' for '1.00') was not asked for.
            if key in asked:
                body, hash_, *texts = row[parts:]
                drafts.append(Draft(key, body, hash_, dict(zip(names, texts, strict=True))))
        return drafts


def _statement(table: Table, fields: Sequence[Field], vectors: Sequence[VectorField]) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of key, document, hash and texts.

    Two levels, kept apart by OFFSET 0, because the document is needed twice and written once. Soft delete and `where`
    are values in the inner one, not conditions beside the keys: there Postgres might try them first, on rows that
    nobody asked for, and fail on one of those.
    """
    columns = short_columns(table)
    live = _live(table, columns)
    texts = [_text(vector, fields, table).label(f"text_{i + 1}") for i, vector in enumerate(vectors)]
    body = _body(table, fields, columns)
    rows = (
        select(
            *key_texts(table, columns),
            (body if live is None else case((live, body))).label("body"),
            *texts,
        )
        .select_from(relation(table))
        .where(key_is_listed(table, columns))
        .offset(number(0))
        .subquery("rows")
    )
    first_text = len(table.key) + 1
    return select(*rows.c[: len(table.key)], rows.c.body, _hash(rows.c.body), *rows.c[first_text:]).where(
        rows.c.body.is_not(None) if live is not None else true()
    )


def _live(table: Table, columns: Columns) -> ColumnElement[bool] | None:
    """Return the condition that a row has a document; None: every row has."""
    conditions: list[ColumnElement[bool]] = []
    if table.soft_delete is not None:
        deleted = columns[table.soft_delete]
        boolean = table.columns[table.soft_delete].type == "bool"
        conditions.append(deleted.is_not(true()) if boolean else deleted.is_(None))
    if table.where is not None:
        conditions.append(condition(table.where))
    return and_(*conditions) if conditions else None


def _body(table: Table, fields: Sequence[Field], columns: Columns) -> ColumnElement[str]:
    values: list[Label[Any]] = [
        document_value(field, table.columns[field.column], columns[field.column]).label(quoted(field.name))
        for field in fields
    ]
    document = select(*values).subquery("document")
    # With `.*`, for a field may be called like the sub-select.
    body = text_of(select(func.row_to_json(literal_column("document.*"))).select_from(document).scalar_subquery())
    if any(holds_foreign_json(table.columns[field.column]) for field in fields):
        # A line break between the parts of a JSON value would end the line of a bulk request. In strings there is none.
        return func.translate(body, literal_column(r"E'\n\r'", Text), constant("  "))
    return body


def _hash(body: ColumnElement[str]) -> ColumnElement[int]:
    """Half of an MD5 as a signed number: the same in every version of Postgres, unlike hashtextextended()."""
    half = constant("x") + func.substr(func.md5(body), number(1), number(16))
    return cast(cast(half, SqlType("bit(64)")), BigInteger).label("hash")


def _text(vector: VectorField, fields: Sequence[Field], table: Table) -> ColumnElement[str]:
    """Return the text that a vector is made of; what is NULL is empty in it, and elements are joined by commas."""
    columns = short_columns(table)
    by_name = {field.name: field.column for field in fields}
    parts: list[ColumnElement[str]] = []
    for literal, name in _pieces(vector.template):
        if literal:
            parts.append(constant(literal))
        if name is None:
            continue
        if name not in by_name:
            raise ConfigurationError(f"embedding.text: there is no field {name}", hint=suggestion(name, by_name))
        value = columns[by_name[name]]
        array = table.columns[by_name[name]].array
        parts.append(
            func.coalesce(func.array_to_string(value, constant(", ")) if array else text_of(value), constant(""))
        )
    text = parts[0] if parts else constant("")
    for part in parts[1:]:
        text = text.concat(part)
    return text


def _pieces(template: str) -> list[tuple[str, str | None]]:
    try:
        return [(literal, name) for literal, name, _, _ in Formatter().parse(template)]
    except ValueError as error:
        raise ConfigurationError(
            f"embedding.text: {error}", hint="write {{ and }} for braces that stand for themselves"
        ) from error
