"""Hydration: what rows are now, as JSON documents that Postgres writes itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from string import Formatter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, true
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.document import (
    ROW_CAUSED,
    document_body,
    document_columns,
    document_hash,
    document_routing,
)
from syncer.adapters.postgres.living import lacks_documents
from syncer.adapters.postgres.related import field_value
from syncer.adapters.postgres.session import Session, reason_of, sqlstate
from syncer.adapters.postgres.sql import (
    Columns,
    constant,
    key_is_listed,
    key_list_values,
    key_texts,
    number,
    qualified_columns,
    readable,
    relation,
    short_columns,
    text_of,
)
from syncer.core.change import Draft, Hydration
from syncer.core.error import ConfigurationError
from syncer.core.field import Field, VectorField, field_at, value_paths
from syncer.core.key import Key
from syncer.core.suggestion import suggestion
from syncer.core.table import Table


class PostgresDocuments:
    """Implements `Documents`."""

    def __init__(
        self,
        session: Session,
        table: Table,
        fields: Sequence[Field],
        vectors: Sequence[VectorField],
        routing: Field | None = None,
    ) -> None:
        """routing: of related rows (`resolve_routing`). Raises ConfigurationError where a template names no field."""
        self._session = session
        self._table = table
        self._vectors = vectors
        self._routed = _is_routed(table, routing)
        self._select = _statement(table, fields, vectors, routing)

    def hydrate(self, keys: Sequence[Key]) -> Hydration:
        """Return what the keys are now; a row that Postgres cannot read, or write as JSON, is unreadable.

        One statement, but where a row makes it fail: then one for each half of the keys, until that row is found.
        Raises SourceUnavailable, SchemaMismatch, AccessDenied: also where row level security would hide rows.
        """
        unreadable: dict[Key, str] = {}
        with self._session.use() as connection:
            rows = self._rows(connection, keys, unreadable)
        return self._hydration(rows, set(keys), unreadable)

    def _rows(
        self, connection: Connection, keys: Sequence[Key], unreadable: dict[Key, str]
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        try:
            return connection.execute(self._select, key_list_values(self._table, keys)).all()
        except DBAPIError as error:
            if not sqlstate(error).startswith(ROW_CAUSED):
                raise
            if len(keys) == 1:
                unreadable[keys[0]] = reason_of(error)
                return []
        half = len(keys) // 2
        return [*self._rows(connection, keys[:half], unreadable), *self._rows(connection, keys[half:], unreadable)]

    def _hydration(
        self, rows: Sequence[Row[*tuple[Any, ...]]], asked: set[Key], unreadable: Mapping[Key, str]
    ) -> Hydration:
        parts, names = len(self._table.key), [vector.name for vector in self._vectors]
        drafts: list[Draft] = []
        routings: dict[Key, str] = {}
        for row in rows:
            key = tuple(row[:parts])
            # An equal key that is written in another way ('1.0' for '1.00') was not asked for.
            if key in asked:
                body, hash_, *texts = row[parts:]
                routing = texts.pop() if self._routed else None
                if body is not None:
                    drafts.append(Draft(key, body, hash_, dict(zip(names, texts, strict=True)), routing))
                elif routing is not None:
                    routings[key] = routing
        return Hydration(drafts, unreadable, routings)


def hydration_statement(
    table: Table, fields: Sequence[Field], vectors: Sequence[VectorField], routing: Field | None = None
) -> str:
    """Return the statement as people read it. Raises ConfigurationError where a template names no field."""
    return readable(_statement(table, fields, vectors, routing))


def field_values(table: Table, fields: Sequence[Field]) -> Mapping[str, str]:
    """Return what each field's value is made of, as people read it, of those in objects too by their dotted paths."""
    # By bare names: that the statement qualifies them where a relation is added says nothing of their values.
    return dict(_readable_values(table, fields, short_columns(table), ""))


def _readable_values(table: Table, fields: Sequence[Field], columns: Columns, prefix: str) -> Iterator[tuple[str, str]]:
    for field in fields:
        path, related = f"{prefix}{field.name}", field.related
        if related is None:
            yield path, readable(field_value(field, table, columns))
            continue
        of, rows = related.relation, related.relation.name
        taken = f"{rows}.{field.column}" if field.column else rows
        yield path, f"{related.aggregate}({taken})" if related.aggregate else taken
        yield from _readable_values(of.table, related.fields, qualified_columns(of.table, rows), f"{path}.")


def _is_routed(table: Table, routing: Field | None) -> bool:
    return routing is not None or table.routing is not None


def _statement(
    table: Table, fields: Sequence[Field], vectors: Sequence[VectorField], routing: Field | None
) -> Select[*tuple[Any, ...]]:
    """Return the SELECT of key, document, hash, texts and, where documents have one, routing.

    Two levels, kept apart by OFFSET 0, because the document is needed twice and written once. Soft delete and `where`
    are values in the inner one, not conditions beside the keys: there Postgres might try them first, on rows that
    nobody asked for, and fail on one of those. With routing, rows without document are returned too: a removal has to
    know where the document was.
    """
    columns, routed = document_columns(table, fields, routing), _is_routed(table, routing)
    others = [_text(vector, fields, table, columns).label(f"text_{i + 1}") for i, vector in enumerate(vectors)]
    if routed:
        others.append(document_routing(table, columns, routing).label("routing"))
    rows = (
        select(
            *key_texts(table, columns),
            document_body(table, fields, columns).label("body"),
            *others,
        )
        .select_from(relation(table))
        .where(key_is_listed(table, columns))
        .offset(number(0))
        .subquery("rows")
    )
    after_body = len(table.key) + 1
    return select(*rows.c[: len(table.key)], rows.c.body, document_hash(rows.c.body), *rows.c[after_body:]).where(
        rows.c.body.is_not(None) if lacks_documents(table) and not routed else true()
    )


def _text(vector: VectorField, fields: Sequence[Field], table: Table, columns: Columns) -> ColumnElement[str]:
    """Return the text that a vector is made of; what is NULL is empty in it, and elements are joined by commas."""
    parts: list[ColumnElement[str]] = []
    for literal, name in _pieces(vector):
        if literal:
            parts.append(constant(literal))
        if name is None:
            continue
        field = field_at(fields, name)
        if field is None or (field.related and field.related.fields):
            raise ConfigurationError(
                f"{vector.setting}.text: "
                f"{f'there is no field {name}' if field is None else f'field {name} holds whole rows'}",
                hint=suggestion(name, value_paths(fields)),
            )
        parts.append(func.coalesce(_as_text(field, table, columns), constant("")))
    text = parts[0] if parts else constant("")
    for part in parts[1:]:
        text = text.concat(part)
    return text


def _as_text(field: Field, table: Table, columns: Columns) -> ColumnElement[str]:
    related = field.related
    if related is None:
        value, array = columns[field.column], table.columns[field.column].array
    else:
        of = related.relation
        value = field_value(field, table, columns)
        array = related.aggregate is None and (of.many or of.table.columns[field.column].array)
    return func.array_to_string(value, constant(", ")) if array else text_of(value)


def _pieces(vector: VectorField) -> list[tuple[str, str | None]]:
    try:
        return [(literal, name) for literal, name, _, _ in Formatter().parse(vector.template)]
    except ValueError as error:
        raise ConfigurationError(
            f"{vector.setting}.text: {error}", hint="write {{ and }} for braces that stand for themselves"
        ) from error
