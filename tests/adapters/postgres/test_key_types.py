"""Keys of every kind, from the table to the index and back: the page says what their documents are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.postgres.digests import PostgresDigests
from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.keys import PostgresKeyFeed, PostgresKeyList
from syncer.adapters.postgres.session import Session
from syncer.core.change import Document, Hydration
from syncer.core.field import Field
from syncer.core.index import write_alias
from syncer.core.key import document_id
from syncer.core.outcome import Applied, Rejected
from syncer.core.table import Table
from tests.adapters.postgres.conftest import OpenSession, ReadTable
from tests.adapters.postgres.noting import install, keys, noted
from tests.adapters.postgres.test_types import DOCS
from tests.conftest import Elastic

Connection = psycopg.Connection[Any]
FIELDS = [Field("n", "n", "integer")]
#: Type, value in SQL, and `_id`.
KEYS = re.findall(r"^\| `(.+)` \| `(.+)` \| `(.+)` \|$", DOCS.split("\n## Keys\n")[1], re.MULTILINE)


def hydrate(session: Session, table: Table, ids: Sequence[str]) -> Hydration:
    return PostgresDocuments(session, table, FIELDS, []).hydrate([(id_,) for id_ in ids])


def test_document_ids(
    admin: Connection,
    read: ReadTable,
    session: Session,
    open_session: OpenSession,
    elastic: Elastic,
    index_prefix: str,
) -> None:
    """Each key has the id that the page says, wherever it comes from, and each id leads back to its key."""
    admin.execute(DOCS.split("```sql\n")[1].split("```")[0])
    assert len(KEYS) > 10
    ElasticIndices(elastic.client, mapping(FIELDS, []), IndexSettings()).create(f"{index_prefix}-1", {})
    sink = ElasticSink(elastic.client, write_alias(f"{index_prefix}-1"))
    for i, (sql_type, value, id_) in enumerate(KEYS):
        admin.execute(f"CREATE TABLE t{i} (k {sql_type} PRIMARY KEY, n integer, updated_at timestamptz)")
        admin.execute(f"INSERT INTO t{i} VALUES ({value})")
        table = read(f"t{i}")
        (key,) = PostgresKeyFeed(session, table).read(None, None, 9)
        assert (document_id(key), key) == (id_, (id_,))
        (draft,) = hydrate(session, table, [id_]).drafts
        assert draft.key == key
        digests = PostgresDigests(open_session, table, FIELDS)
        assert list(digests.pages()) == [[(id_, draft.hash, "")]]
        assert digests.keys([id_]) == {id_: key}
        assert PostgresKeyList(session, table, [id_]).read(None, None, 9) == [key]
        (outcome,) = sink.write([Document(draft, {}, i + 1)])
        assert outcome == Applied(created=True)
        assert elastic.client.get(index=f"{index_prefix}-1", id=id_)["_version"] == i + 1


@pytest.mark.parametrize(
    ("before", "sql_type"),
    [
        ("CREATE EXTENSION citext", "citext"),
        (
            "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            "text COLLATE blind",
        ),
    ],
    ids=["citext", "collation"],
)
def test_texts_that_the_database_takes_for_equal(
    before: str, sql_type: str, admin: Connection, read: ReadTable, session: Session, open_session: OpenSession
) -> None:
    """The row has one document, called as the row writes its key now; the change is noted."""
    try:
        admin.execute(before)
    except psycopg.errors.FeatureNotSupported as error:
        pytest.skip(str(error))
    admin.execute(f"CREATE TABLE item (k {sql_type} PRIMARY KEY, n integer, updated_at timestamptz)")
    admin.execute("INSERT INTO item VALUES ('abc', 1), ('B', 2), ('é', 3)")
    table = read()
    install(session, table)
    admin.execute("UPDATE item SET k = 'ABC' WHERE k = 'aBc'")
    assert noted(admin) == keys("abc", "ABC")
    assert {draft.key for draft in hydrate(session, table, ["abc", "ABC", "b", "B"]).drafts} == {("ABC",), ("B",)}
    assert hydrate(session, table, ["abc"]).drafts == []
    feed = PostgresKeyFeed(session, table)
    assert feed.read(None, None, 9) == [("ABC",), ("B",), ("é",)]
    assert feed.read(("abc",), ("b",), 9) == [("B",)]
    digests = PostgresDigests(open_session, table, FIELDS)
    assert [id_ for page in digests.pages() for id_, _, _ in page] == ["ABC", "B", "é"]
    assert PostgresKeyList(session, table, ["abc"]).read(None, None, 9) == [("ABC",)]


def test_an_empty_key_is_rejected_alone(
    admin: Connection, read: ReadTable, session: Session, elastic: Elastic, index_prefix: str
) -> None:
    """Elasticsearch has no empty ids."""
    admin.execute("CREATE TABLE item (k text PRIMARY KEY, n integer, updated_at timestamptz)")
    admin.execute("INSERT INTO item VALUES (''), (' ')")
    ElasticIndices(elastic.client, mapping(FIELDS, []), IndexSettings()).create(f"{index_prefix}-1", {})
    drafts = hydrate(session, read(), ["", " "]).drafts
    sink = ElasticSink(elastic.client, write_alias(f"{index_prefix}-1"))
    outcomes = dict(zip([draft.key for draft in drafts], sink.write([Document(d, {}, 1) for d in drafts]), strict=True))
    assert isinstance(outcomes["",], Rejected)
    assert outcomes[" ",] == Applied(created=True)
