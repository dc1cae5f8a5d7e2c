"""Queries and views that stand in a table's place: what the server says of them, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.digests import PostgresDigests
from syncer.adapters.postgres.documents import PostgresDocuments, hydration_statement
from syncer.adapters.postgres.feed import END, PostgresChangeFeed
from syncer.adapters.postgres.keys import PostgresKeyFeed, PostgresKeyList
from syncer.adapters.postgres.related_feed import PostgresRelatedFeed
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.pipeline_table import pipeline_feeds, pipeline_fields, pipeline_table
from syncer.core.error import ConfigurationError, SourceUnavailable
from syncer.core.fan_out import FanOut
from syncer.core.feed import Feed
from syncer.core.field import Field
from syncer.core.position import BEGINNING, Position
from syncer.core.table import Column, Table
from tests.services.postgres import PostgresServer, create_database, drop_database

SCHEMA = """
CREATE DOMAIN label AS varchar(20);
CREATE TYPE mood AS ENUM ('sad');
CREATE TABLE articles (
    id bigint PRIMARY KEY, title text, price numeric(10, 2), label label, moods mood[], updated_at timestamptz
);
CREATE TABLE lines (article_id bigint, number integer, UNIQUE (article_id, number));
CREATE TABLE stamped (article_id bigint, updated_at timestamptz DEFAULT '2024-05-01');
CREATE VIEW looks AS SELECT * FROM articles;
INSERT INTO articles VALUES (1, 'one', 5, 'a', '{sad}'), (2, 'two', 7, 'b', '{}'), (3, 'three', 1, 'c', NULL);
INSERT INTO lines VALUES (1, 1), (1, 2), (3, 1), (NULL, 4);
INSERT INTO stamped VALUES (1), (NULL), (4), (4);
"""
#: An outer join: one of its rows has no key.
LINES = """
SELECT l.article_id AS id, l.number, a.title FROM lines AS l FULL JOIN articles AS a ON a.id = l.article_id
 WHERE a.title <> '%s :x' OR a.id IS NULL
"""
GOOD: dict[str, Any] = {"query": "SELECT id, title FROM articles", "key": "id", "feeds": {"articles": {}}}


@pytest.fixture(name="url", scope="module")
def _url(postgres_server: PostgresServer) -> Iterator[str]:
    """One database for all tests here: none of them changes it."""
    url = create_database(postgres_server)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
    yield url
    drop_database(postgres_server, url)


def opened(url: str) -> Session:
    return Session(url, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)


@pytest.fixture(name="session")
def _session(url: str) -> Iterator[Session]:
    session = opened(url)
    yield session
    session.close()


def read(session: Session, **settings: Any) -> tuple[Table, Sequence[Feed]]:
    parsed = PipelineSettings.model_validate(settings)
    table = pipeline_table(session, "articles", parsed)
    return table, pipeline_feeds(session, "articles", parsed, table, ())


def test_a_query_has_the_columns_that_it_gives(session: Session) -> None:
    """With their types, as a table has them; none is known to be NOT NULL."""
    query = 'SELECT label, moods, price * 2 AS double, \'%s :x\'::text AS "odd ""one: 100%", id FROM articles;'
    table, _ = read(session, **GOOD | {"query": query})
    assert list(table.columns.values()) == [
        Column("label", "varchar", "character varying"),
        Column("moods", "mood", "public.mood[]", array=True, kind="e"),
        Column("double", "numeric", "numeric"),
        Column('odd "one: 100%', "text", "text"),
        Column("id", "int8", "bigint"),
    ]
    assert (str(table), table.key, table.watermark) == ("pipelines.articles.query", ("id",), None)


def test_feeds_follow_their_tables(session: Session) -> None:
    """By the columns that are the documents' key; without a watermark where they have none."""
    feeds = {"articles": {"relations": {"all": {"table": "lines", "on": {"id": "article_id"}, "key": "number"}}}}
    _, [feed] = read(session, table="looks", key="id", feeds=feeds)
    assert (str(feed.table), feed.table.key, feed.table.watermark) == ("public.articles", ("id",), "updated_at")
    assert [[str(join.table) for join in way] for way in feed.ways] == [["public.lines"]]
    _, [feed] = read(session, **GOOD | {"feeds": {"numbers": {"table": "lines", "key": "article_id"}}})
    assert (str(feed.table), feed.table.key, feed.table.watermark) == ("public.lines", ("article_id",), None)


def test_a_query_is_read_as_a_table_is(session: Session, url: str) -> None:
    """Its documents, its keys and their digests; a row without key has no document."""
    feeds = {"lines": {"key": ["article_id", "number"]}}
    settings = {"query": LINES, "key": ["id", "number"], "feeds": feeds, "where": "query.number < 2"}
    parsed = PipelineSettings.model_validate(settings)
    table = pipeline_table(session, "articles", parsed)
    fields = pipeline_fields(session, "articles", parsed, table)
    keys = PostgresKeyFeed(session, table)
    assert keys.read(None, None, 10) == [("1", "1"), ("1", "2"), ("3", "1")]
    assert keys.read(("1", "1"), None, 1) == [("1", "2")]
    assert [(part.after, part.through) for part in keys.divide(2)] == [(None, ("1", "2")), (("1", "2"), None)]
    assert PostgresKeyFeed(session, table, where="title = 'three'").read(None, None, 10) == [("3", "1")]
    assert PostgresKeyList(session, table, ["3|1", "4|4"]).read(None, None, 10) == [("3", "1"), ("4", "4")]
    drafts = PostgresDocuments(session, table, fields, ()).hydrate([("1", "1"), ("1", "2"), ("9", "9")]).drafts
    assert [(draft.key, draft.body) for draft in drafts] == [(("1", "1"), '{"id":1,"number":1,"title":"one"}')]
    digests = PostgresDigests(lambda: opened(url), table, fields)
    try:
        assert [(id_, hash_) for [*page] in digests.pages() for id_, hash_, _ in page] == [
            ("1|1", drafts[0].hash),
            ("3|1", PostgresDocuments(session, table, fields, ()).hydrate([("3", "1")]).drafts[0].hash),
        ]
        assert digests.rows() > 0
    finally:
        digests.close()


def test_rows_of_a_feed_may_share_a_key_or_have_none(session: Session) -> None:
    """Those without lead to no document, nor does what is related to them."""
    by_lines = {
        "key": "article_id",
        "relations": {"n": {"table": "stamped", "on": {"number": "article_id"}, "key": "article_id"}},
    }
    feeds = {"stamped": {"key": "article_id"}, "lines": by_lines}
    _, [stamped, lines] = read(session, **GOOD | {"feeds": feeds})
    page = PostgresChangeFeed(session, stamped.table).read(Position(BEGINNING), END, 10)
    assert [change.key for change in page.changes] == [("1",), ("4",), ("4",)]
    related = PostgresRelatedFeed(session, lines.table, lines.ways[0])
    assert [related.documents(FanOut(related.way, (value,)), 10) for value in "14"] == [[("1",), ("3",)], []]


def test_listed_documents_are_looked_up_in_a_query(session: Session) -> None:
    """By an index of the table that has the key, however the query is laid out."""
    query = "SELECT a.id, count(l.*) FROM articles AS a LEFT JOIN lines AS l ON l.article_id = a.id GROUP BY a.id"
    table, _ = read(session, **GOOD | {"query": query})
    statement = hydration_statement(table, [Field("count", "count", "long")], ())
    with session.use() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        listed = statement.replace(":key_1::", "'{1,2}'::")
        plan = connection.exec_driver_sql(f"EXPLAIN {listed}").scalars().all()
    assert any("Index Cond: (id = ANY" in line for line in plan), plan


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": "SELECT id, titel FROM articles"}, 'query: column "titel" does not exist'),
        ({"query": "SELECT id FROM articles WHERE"}, "query: syntax error"),
        ({"query": "SELECT id FROM articles; SELECT 1"}, "query: syntax error"),
        ({"query": "DELETE FROM articles RETURNING id"}, "query: syntax error"),
        ({"query": "WITH gone AS (DELETE FROM articles RETURNING id) SELECT * FROM gone"}, "query: WITH clause"),
        ({"query": "SELECT id, title AS id FROM articles"}, "query: two of its columns are called id"),
        ({"query": "SELECT id, now() FROM articles", "where": "id > 0"}, "query: now() makes documents change"),
        ({"query": "SELECT id FROM articles WHERE updated_at < CAST('today' AS date)"}, "query: 'today' makes"),
        ({"key": "di"}, "key: pipelines.articles.query has no column di"),
        ({"query": "SELECT ARRAY[id] AS id FROM articles"}, "key: pipelines.articles.query.id is of type bigint[]"),
        ({"soft_delete": "title"}, "soft_delete: pipelines.articles.query.title is of type text"),
        ({"where": "titel = 'x'"}, 'where: column "titel" does not exist'),
        ({"where": "updated_at > now()", "query": "TABLE articles"}, "where: now() makes rows enter and leave"),
        ({"feeds": {"articles": {"key": "title"}}}, "feeds.articles.key: public.articles.title is of type text, "),
        ({"feeds": {"articles": {"key": ["id", "title"]}}}, "feeds.articles.key: names 2 columns, and the key"),
        ({"feeds": {"lines": {}}}, "feeds.lines.key: public.lines has no column id"),
        ({"feeds": {"articles": {}, "b": {"table": "public.articles"}}}, "feeds.b.table: public.articles is another"),
        ({"feeds": {"looks": {}}}, "feeds.looks.table: public.looks is a view, which cannot be followed"),
        ({"query": None, "table": "looks", "feeds": {}}, "table: public.looks is a view, which cannot be followed"),
        ({"query": None, "table": "articles"}, "table: public.articles is no view"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], message: str, session: Session) -> None:
    """Of a query as of a table, by the setting that it is about."""
    with pytest.raises(ConfigurationError) as raised:
        read(session, **GOOD | changes)
    assert raised.value.message.startswith(f"pipelines.articles.{message}")
    assert raised.value.hint
