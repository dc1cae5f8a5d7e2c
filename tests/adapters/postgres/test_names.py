"""Names that need quoting, and tables as wide as Postgres has them, from the table to the index."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.postgres.digests import PostgresDigests
from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.feed import PostgresChangeFeed
from syncer.adapters.postgres.keys import PostgresKeyFeed, PostgresKeyList
from syncer.adapters.postgres.session import Session
from syncer.core.change import Document
from syncer.core.declaration import resolve_fields
from syncer.core.index import write_alias
from syncer.core.position import Position
from tests.adapters.postgres.conftest import OpenSession, ReadTable
from tests.adapters.postgres.noting import install, noted
from tests.conftest import Elastic

Connection = psycopg.Connection[Any]
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
NAMES = [
    "MixedCase",
    "select",
    "user",
    " leading blank",
    "a%b:c",
    "%s",
    "%(name)s",
    ":name",
    "{brace}",
    "$1",
    "back\\slash",
    "two\nlines",
    'double "quote"',
    "single 'quote'",
    "-- comment",
    "*",
    "näm€ 🔑",
    "x" * 63,
    "document",
    "rows",
    "key_1",
    "hash",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_may_be_anything(
    name: str,
    admin: Connection,
    read: ReadTable,
    session: Session,
    open_session: OpenSession,
    elastic: Elastic,
    index_prefix: str,
) -> None:
    """Of the schema, the table, and columns that are key, watermark, routing, soft delete, in `where`, in a field."""
    # Postgres cuts off what is longer than 63 bytes.
    prefix = name if len(name.encode()) < 63 else ""
    key, second, watermark, routing, deleted = name, *(f"{prefix}{part}" for part in ("2", "w", "r", "d"))
    template = """
        CREATE SCHEMA IF NOT EXISTS {name};
        CREATE TABLE {name}.{name} ({key} text, {second} integer, {watermark} timestamptz, {routing} text,
                                    {deleted} boolean, PRIMARY KEY ({key}, {second}));
        INSERT INTO {name}.{name} VALUES ('a', 1, '2026-05-04 12:00Z', 'r1', false), ('b', 2, NULL, 'r2', true)
    """
    names = {"name": name, "key": key, "second": second, "watermark": watermark, "routing": routing, "deleted": deleted}
    admin.execute(sql.SQL(template).format(**{part: sql.Identifier(name_) for part, name_ in names.items()}))
    where = sql.SQL("{} <> {}").format(sql.Identifier(key), sql.Literal("%s :x")).as_string(admin)
    table = read(f"{name}.{name}", watermark=watermark, routing=routing, soft_delete=deleted, where=where)
    assert (table.schema, table.name, list(table.columns)) == (name, name, [key, second, watermark, routing, deleted])

    (change,) = PostgresChangeFeed(session, table).read(Position(datetime.min.replace(tzinfo=UTC)), NOON, 9).changes
    assert change.key == ("a", "1")
    assert PostgresKeyFeed(session, table, where).read(None, None, 9) == [("a", "1"), ("b", "2")]
    assert PostgresKeyList(session, table, ["b|2"]).read(None, None, 9) == [("b", "2")]
    fields = resolve_fields(table, None, setting="fields")
    (draft,) = PostgresDocuments(session, table, fields, []).hydrate([("a", "1"), ("b", "2")]).drafts
    digests = PostgresDigests(open_session, table, fields)
    assert list(digests.pages()) == [[("a|1", draft.hash, "r1")]]
    assert digests.rows() == 0

    index = f"{index_prefix}-1"
    ElasticIndices(elastic.client, mapping(fields, []), IndexSettings()).create(index, {})
    ElasticSink(elastic.client, write_alias(index)).write([Document(draft, {}, 1)])
    source = elastic.client.get(index=index, id="a|1", routing="r1")["_source"]
    assert {part: source[part] for part in (key, second, routing, deleted)} == dict(
        zip((key, second, routing, deleted), ("a", 1, "r1", False), strict=True)
    )

    install(session, table)
    admin.execute(sql.SQL("DELETE FROM {0}.{0}").format(sql.Identifier(name)))
    assert noted(admin, str(table)) == [(["a", "1"], "r1"), (["b", "2"], "r2")]


def test_a_table_as_wide_as_postgres_allows(
    admin: Connection,
    read: ReadTable,
    session: Session,
    open_session: OpenSession,
    elastic: Elastic,
    index_prefix: str,
) -> None:
    """All its columns are in the document, which is made and hashed by one statement as any other."""
    columns = [f"c{i}" for i in range(1598)]
    definitions = ", ".join(f"{column} smallint" for column in columns)
    admin.execute(f"CREATE TABLE item (id smallint PRIMARY KEY, updated_at timestamptz, {definitions})")
    admin.execute(f"INSERT INTO item VALUES (1, NULL, {', '.join(map(str, range(1598)))})")
    table = read()
    fields = resolve_fields(table, None, setting="fields")
    (draft,) = PostgresDocuments(session, table, fields, []).hydrate([("1",)]).drafts
    assert list(PostgresDigests(open_session, table, fields).pages()) == [[("1", draft.hash, "")]]
    index = f"{index_prefix}-1"
    enough = IndexSettings(settings={"mapping.total_fields.limit": 2000})
    ElasticIndices(elastic.client, mapping(fields, []), enough).create(index, {})
    ElasticSink(elastic.client, write_alias(index)).write([Document(draft, {}, 1)])
    source = elastic.client.get(index=index, id="1")["_source"]
    assert [source[column] for column in columns] == list(range(1598))
