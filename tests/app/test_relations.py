"""Relations end to end: from settings over the catalogue to a mapping, documents and feeds, on a real database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import yaml

from syncer.adapters.postgres.digests import PostgresDigests
from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.app.blueprint import Blueprint, draw_up
from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.pipeline_table import pipeline_feeds, pipeline_fields, pipeline_routing, pipeline_table
from syncer.app.pipeline_vectors import pipeline_vectors
from syncer.core.definition import differences_between
from syncer.core.error import ConfigurationError, SourceUnavailable
from syncer.core.way import ways

SCHEMA = """
CREATE TABLE countries (code text PRIMARY KEY, name text, updated_at timestamptz DEFAULT now());
CREATE TABLE authors (
    id integer PRIMARY KEY, name text, country text, active boolean DEFAULT true, deleted_at timestamptz,
    words tsvector, born timestamp, updated_at timestamptz DEFAULT now()
);
CREATE TABLE articles (
    id integer PRIMARY KEY, title text, author_id integer, label text, updated_at timestamptz DEFAULT now()
);
CREATE TABLE comments (
    id integer PRIMARY KEY, article_id integer, author_id integer, body text, marks integer[], likes bigint,
    created_at timestamptz DEFAULT '2024-05-01'
);
CREATE TABLE tags (id integer PRIMARY KEY, name text, weight integer, updated_at date, place point);
CREATE TABLE article_tags (article_id integer, tag_id integer, PRIMARY KEY (article_id, tag_id));
CREATE VIEW everybody AS SELECT * FROM authors;
INSERT INTO countries VALUES ('it', 'Italy');
INSERT INTO authors VALUES (1, 'Ada', 'it'), (2, 'Bo', NULL);
INSERT INTO articles VALUES (1, 'one', 1), (2, 'two', 2);
INSERT INTO comments VALUES (1, 1, 2, 'fine', NULL, 3), (2, 1, 1, NULL, '{1}', 4);
INSERT INTO tags VALUES (1, 'red', 5), (2, 'blue', 9), (3, 'green', 5);
INSERT INTO article_tags VALUES (1, 1), (1, 2), (1, 3);
"""

EXAMPLE = """
table: articles
fields:
  title: text
  author: {relation: author}
  author.name: {type: text, keyword: true, boost: 2}
  author_country: {column: author.country.name, type: keyword}
  tags: {column: tags.name, type: keyword}
  comments: {relation: comments, type: nested}
  comment_count: {relation: comments, aggregate: count}
  commented_at: {column: comments.created_at, aggregate: max}
relations:
  author:
    table: authors
    on: {author_id: id}
    columns: [name, country]
    soft_delete: deleted_at
    where: "active"
    relations: {country: {table: countries, on: {country: code}, columns: name}}
  comments: {table: public.comments, on: {id: article_id}, columns: [id, body], many: true}
  tags:
    table: tags
    through: [{table: article_tags, on: {id: article_id}}]
    on: {tag_id: id}
    many: true
    order_by: [-weight, name]
    limit: 2
"""


def opened(url: str) -> Session:
    return Session(url, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)


@pytest.fixture(name="session")
def _session(postgres_url: str) -> Iterator[Session]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
    session = opened(postgres_url)
    yield session
    session.close()


def example() -> dict[str, Any]:
    # Values as text, and `on` as the name that it is, not as YAML 1.1 reads it.
    values: dict[str, Any] = yaml.load(EXAMPLE, yaml.BaseLoader)
    return values


def drawn(session: Session, **changes: Any) -> Blueprint:
    """Draw up the example; changes: of its settings, None leaves one out."""
    values = {name: value for name, value in (example() | changes).items() if value is not None}
    settings = PipelineSettings.model_validate(values)
    table = pipeline_table(session, "articles", settings)
    fields = pipeline_fields(session, "articles", settings, table)
    feeds = pipeline_feeds(session, "articles", settings, table, fields)
    vectors = pipeline_vectors("articles", settings, fields, lambda: 4)
    routing = pipeline_routing(session, "articles", settings, table)
    return draw_up("articles", settings, "articles", table, feeds, fields, vectors, None, routing=routing)


def related(of: str = "author", **changes: Any) -> dict[str, Any]:
    """Return the example's relations with changes of one of them."""
    relations: dict[str, Any] = example()["relations"]
    relations[of] |= changes
    return {"relations": relations}


def documents(session: Session, plan: Blueprint) -> list[dict[str, Any]]:
    drafts = PostgresDocuments(session, plan.table, plan.fields, plan.vectors).hydrate([("1",), ("2",)]).drafts
    return [json.loads(draft.body) for draft in drafts]


def test_documents_are_made_of_all_tables(session: Session) -> None:
    """Objects, scalars over any depth, arrays in their order, aggregates; and nothing where there is no row."""
    one, two = documents(session, drawn(session))
    assert one == {
        "title": "one",
        "author": {"name": "Ada", "country": {"name": "Italy"}},
        "author_country": "Italy",
        "tags": ["blue", "green"],
        "comments": [{"id": 1, "body": "fine"}, {"id": 2, "body": None}],
        "comment_count": 2,
        "commented_at": "2024-05-01T00:00:00+00:00",
    }
    assert two == {
        "title": "two",
        "author": {"name": "Bo", "country": None},
        "author_country": None,
        "tags": [],
        "comments": [],
        "comment_count": 0,
        "commented_at": None,
    }


def test_the_mapping_declares_what_is_inside(session: Session) -> None:
    """As at the top: strict, with sub-fields, types from the columns of the related tables."""
    properties = drawn(session).mapping["properties"]
    keyword = {"type": "keyword", "ignore_above": 8191}
    text = {"type": "text", "fields": {"keyword": keyword}}
    country = {"dynamic": "strict", "type": "object", "properties": {"name": text}}
    assert properties["author"] == {
        "dynamic": "strict",
        "type": "object",
        "properties": {"name": text, "country": country},
    }
    assert properties["comments"] == {
        "dynamic": "strict",
        "type": "nested",
        "properties": {"id": {"type": "integer"}, "body": text},
    }
    assert (properties["tags"], properties["author_country"]) == (keyword, keyword)
    assert (properties["comment_count"], properties["commented_at"]) == ({"type": "long"}, {"type": "date"})


def test_every_relation_without_fields(session: Session) -> None:
    """Nothing is declared: every column, and each relation under its name, in objects too."""
    plan = drawn(session, fields=None)
    assert [field.name for field in plan.fields] == [
        *("id", "title", "author_id", "label", "updated_at"),
        *("author", "comments", "tags"),
    ]
    assert documents(session, plan)[0]["author"] == {"name": "Ada", "country": {"name": "Italy"}}


def test_what_is_in_an_object(session: Session) -> None:
    """Its columns and what is declared of it; what is declared without the object around it is all that is in it."""
    country = {"country": {"table": "countries", "on": {"country": "code"}}}
    relations = {
        "author": {"table": "authors", "on": {"author_id": "id"}, "columns": ["id"], "relations": country},
        "writer": {"table": "authors", "on": {"author_id": "id"}, "relations": country, "where": "id < 9"},
    }
    fields: dict[str, Any] = {
        "by": {"relation": "author", "type": "flattened"},
        "by.called": {"column": "name"},
        "by.land": {"relation": "country"},
        "by.land.code": "keyword",
        "writer.country.name": "keyword",
        "writer.country_code": {"column": "country", "type": "keyword"},
    }
    first = documents(session, drawn(session, fields=fields, relations=relations))[0]
    assert first["by"]["land"].pop("updated_at")
    assert first == {
        "by": {"id": 1, "called": "Ada", "land": {"code": "it", "name": "Italy"}},
        "writer": {"country": {"name": "Italy"}, "country_code": "it"},
    }


def test_a_table_that_is_related_to_itself(session: Session) -> None:
    """Each level is a table of its own, in objects and on the way to a value, whatever they are called."""
    of_author = {"table": "articles", "on": {"author_id": "author_id"}, "many": True}
    more = of_author | {"relations": {"more": of_author}}
    fields: dict[str, Any] = {
        "titles": {"column": "more.more.title"},
        "more.title": "keyword",
        "more.count": {"relation": "more", "aggregate": "count"},
        "more.more.title": "keyword",
    }
    first = documents(session, drawn(session, fields=fields, relations={"more": more}))[0]
    assert first == {"titles": ["one"], "more": [{"title": "one", "count": 1, "more": [{"title": "one"}]}]}


def test_each_way_to_a_table_once(session: Session) -> None:
    """The tables between are ways too; two fields that go the same way share it."""
    assert [[join.table.name for join in way] for way in ways(drawn(session).fields)] == [
        ["authors"],
        ["authors", "countries"],
        ["article_tags"],
        ["article_tags", "tags"],
        ["comments"],
    ]
    assert {way[-1].table.name: way[-1].table.watermark for way in ways(drawn(session).fields)} == {
        "authors": "updated_at",
        "countries": "updated_at",
        "article_tags": None,
        "tags": None,  # a date is no watermark
        "comments": None,
    }


@pytest.mark.parametrize("where", [None, "title <> 'two'"])
def test_related_rows_may_route_documents(where: str | None, postgres_url: str, session: Session) -> None:
    """Whether or not a field takes something from them; both sides of a comparison see it, and each table is a feed."""
    plan = drawn(session, routing="author.country.name", fields={"title": "text"}, where=where)
    hydration = PostgresDocuments(session, plan.table, plan.fields, (), plan.routing).hydrate([("1",), ("2",)])
    routed = {draft.key[0]: draft.routing for draft in hydration.drafts}
    assert routed == ({"1": "Italy", "2": ""} if where is None else {"1": "Italy"})
    digests = PostgresDigests(lambda: opened(postgres_url), plan.table, plan.fields, plan.routing)
    assert {id_: routing for page in digests.pages() for id_, _, routing in page} == routed
    digests.close()
    assert [str(way[-1].table) for feed in plan.feeds for way in feed.ways] == ["public.authors", "public.countries"]


def test_another_routing_is_another_index(session: Session) -> None:
    """And so is another way to it."""
    built = drawn(session, routing="author.name")
    assert built.grows_from(drawn(session, routing="author.name", fields={"title": "text"}).definition)
    for changes in ({"routing": "author.country"}, {"routing": None}, {"routing": "title"}):
        other = drawn(session, **changes)
        assert not other.grows_from(built.definition)
        [line] = differences_between(built.definition, other.definition)
        assert line.startswith("hydration: routing is author.name, ")
    alone = drawn(session, routing="author.name", fields={"title": "text"})
    other = drawn(session, routing="author.name", fields={"title": "text"}, **related(where="id > 0"))
    assert differences_between(alone.definition, other.definition) == [
        "hydration: relations.author.where.public.authors is active, configured `id > 0`",
    ]


@pytest.mark.parametrize(
    ("routing", "message", "hint"),
    [
        ("tags.name", "relation tags leads to many rows", "one row each"),
        ("author.nam", "public.authors has no column nam", "did you mean name?"),
        ("author.land.name", "public.authors has no relation land", "country"),
        ("author", "public.articles has no column author", "author_id"),
        ("autor.name", "public.articles has no column autor.name", ""),
    ],
)
def test_a_routing_that_cannot_be(routing: str, message: str, hint: str, session: Session) -> None:
    """The message names the setting."""
    with pytest.raises(ConfigurationError) as raised:
        drawn(session, routing=routing)
    assert raised.value.message.startswith(f"pipelines.articles.routing: {message}")
    assert hint in raised.value.hint


def test_a_text_is_made_of_related_fields(session: Session) -> None:
    """Of columns in objects too, by their path; many are joined by commas, and NULL is empty."""
    text = "{title}: {author.name} ({author.country.name}) {tags} [{comments.body}] {comment_count}"
    plan = drawn(session, embedding={"text": text})
    drafts = PostgresDocuments(session, plan.table, plan.fields, plan.vectors).hydrate([("1",), ("2",)]).drafts
    assert [draft.texts["embedding"] for draft in drafts] == [
        "one: Ada (Italy) blue, green [fine] 2",
        "two: Bo ()  [] 0",
    ]


def test_what_changed_in_a_relation_is_told(session: Session) -> None:
    """A line for each setting, and none of SQL."""
    built, fields = drawn(session).definition, example()["fields"]
    assert differences_between(built, drawn(session, **related(where="id > 0")).definition) == [
        "hydration: relations.author.where.public.authors is active, configured `id > 0`",
    ]
    assert differences_between(built, drawn(session, **related("tags", limit=3)).definition) == [
        "hydration: relations.tags.limit is 2, configured 3",
    ]
    one = drawn(session, fields={"title": "text", "author": {"relation": "author"}})
    assert differences_between(drawn(session, fields={"title": "text"}).definition, one.definition) == [
        "mapping: author is new",
    ]
    fields |= {"author.id": "long", "commented_at": {"column": "comments.created_at", "aggregate": "min"}}
    assert differences_between(built, drawn(session, fields=fields).definition) == [
        "mapping: author.id is new",
        "hydration: the value of commented_at is `max(comments.created_at)`, configured `min(comments.created_at)`",
    ]


@pytest.mark.parametrize(
    ("of", "changes", "message", "hint"),
    [
        ("author", {"table": "autors"}, "relations.author.table: there is no table autors", "did you mean authors?"),
        ("author", {"table": "everybody"}, "relations.author.table: public.everybody is a view", "name the table"),
        ("author", {"on": {"autor_id": "id"}}, "author.on: public.articles has no column autor_id", "author_id?"),
        ("author", {"on": {"author_id": "ident"}}, "author.on: public.authors has no column ident", "there is:"),
        (
            "author",
            {"on": {"author_id": "name"}},
            "author.on: public.articles.author_id is of type integer, public.authors.name of type text",
            "columns of one type",
        ),
        ("author", {"columns": ["nam"]}, "author.columns: public.authors has no column nam", "did you mean name?"),
        ("author", {"watermark": "born"}, "author.watermark_zone is missing", "for example UTC"),
        ("author", {"soft_delete": "name"}, "author.soft_delete: public.authors.name is of type text", "where:"),
        ("author", {"where": "born < now()"}, "author.where: now() makes rows enter and leave", "keep a column"),
        ("tags", {"watermark_zone": "UTC"}, "tags.watermark_zone: public.tags has no watermark", "tags.watermark"),
        ("tags", {"order_by": "-place"}, "tags.order_by: public.tags.place is of type point, which has no", "another"),
        ("tags", {"order_by": "wait"}, "tags.order_by: public.tags has no column wait", "did you mean"),
        (
            "tags",
            {"through": [{"table": "article_tags", "on": {"id": "artikle_id"}}]},
            "tags.through[0].on: public.article_tags has no column artikle_id",
            "did you mean article_id?",
        ),
        (
            "author",
            {"relations": {"words": {"table": "countries", "on": {"country": "code"}}}},
            "author.relations.words: public.authors has a column words too",
            "another name",
        ),
        (
            "author",
            {"relations": {"n" * 50: {"table": "countries", "on": {"country": "code"}}}},
            "is longer than 48 bytes",
            "shorter",
        ),
    ],
)
def test_a_relation_that_cannot_be(of: str, changes: dict[str, Any], message: str, hint: str, session: Session) -> None:
    """The message names its setting, and the hint what was probably meant."""
    with pytest.raises(ConfigurationError) as raised:
        drawn(session, **related(of, **changes))
    assert message in raised.value.message
    assert raised.value.message.startswith(f"pipelines.articles.relations.{of}")
    assert hint in raised.value.hint


def test_equality_that_forgets_how_values_are_written_is_refused(postgres_url: str, session: Session) -> None:
    """A tombstone keeps a value as it was written in one row; the other one may write an equal one otherwise."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        try:
            admin.execute("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("the server was built without ICU")
        admin.execute("ALTER TABLE countries ALTER COLUMN code TYPE text COLLATE loose")
    with pytest.raises(ConfigurationError, match="has a nondeterministic collation") as raised:
        drawn(session)
    assert raised.value.message.startswith("pipelines.articles.relations.author.relations.country.on")


@pytest.mark.parametrize(
    ("name", "field", "message", "hint"),
    [
        ("a", {"relation": "autor"}, "fields.a: public.articles has no relation autor", "did you mean author?"),
        ("a", {"relation": "author.land"}, "fields.a: public.authors has no relation land", "there is: country"),
        ("a", {"column": "author.nam"}, "fields.a: public.authors has no column nam", "did you mean name?"),
        ("a", {"column": "author.land.name"}, "fields.a: public.authors has no relation land", "country"),
        (
            "a",
            {"relation": "author", "column": "author.name"},
            "fields.a: public.authors has no column author.name",
            "",
        ),
        ("a", {"relation": "author", "type": "text"}, "fields.a: the rows of relation author are objects", "object"),
        ("a", {"relation": "author", "type": "object", "properties": {"b": {}}}, "declared field by field", "a.title"),
        ("a", {"relation": "author", "keyword": True}, "fields.a: keyword is for fields of type text", ""),
        ("a", {"relation": "author", "aggregate": "count"}, "fields.a: aggregate is for a relation to many", "many"),
        ("a", {"column": "title", "aggregate": "max"}, "fields.a: aggregate is for a relation to many", "many"),
        ("a", {"relation": "comments", "aggregate": "max"}, "fields.a: aggregate max is of a column", "comments.id"),
        ("a", {"relation": "tags", "aggregate": "array_agg"}, "aggregate array_agg is of a column", "tags.id"),
        ("a", {"column": "comments.like", "aggregate": "sum"}, "public.comments has no column like", "likes?"),
        ("a", {"column": "comments.body", "aggregate": "sum"}, "there is no sum of public.comments.body", "array_agg"),
        ("a", {"column": "comments.marks"}, "fields.a: public.comments.marks is an array", "relation: comments"),
        ("a", {"column": "author.words"}, "column words of public.authors is of type tsvector", "without it"),
        ("tags.name", {}, "fields.tags: it holds no rows", "relation: tags"),
        ("autor.name", {}, "has neither a column autor.name nor a relation autor", "did you mean author?"),
    ],
)
def test_a_field_that_cannot_be(name: str, field: dict[str, Any], message: str, hint: str, session: Session) -> None:
    """As of fields that columns of the table itself fill."""
    with pytest.raises(ConfigurationError) as raised:
        drawn(session, fields=example()["fields"] | {name: field})
    assert message in raised.value.message
    assert raised.value.message.startswith("pipelines.articles.fields.")
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("field", "type_", "value"),
    [
        ({"column": "comments.likes", "aggregate": "sum"}, "double", 7),
        ({"column": "comments.id", "aggregate": "sum"}, "long", 3),
        ({"column": "comments.likes", "aggregate": "avg"}, "double", 3.5),
        ({"column": "comments.body", "aggregate": "min"}, "text", "fine"),
        ({"column": "comments.body", "aggregate": "count"}, "long", 1),
        ({"column": "comments.body", "aggregate": "array_agg"}, "text", ["fine", None]),
        ({"relation": "comments", "column": "id"}, "integer", [1, 2]),
        ({"relation": "author", "column": "name"}, "text", "Ada"),
    ],
)
def test_what_a_column_of_many_rows_becomes(field: dict[str, Any], type_: str, value: Any, session: Session) -> None:
    """Its type comes from the column and the aggregate."""
    plan = drawn(session, fields={"a": field})
    assert plan.fields[0].type == type_
    assert documents(session, plan)[0] == {"a": value}


def test_a_text_of_whole_rows_is_refused(session: Session) -> None:
    """They would be JSON in it."""
    with pytest.raises(ConfigurationError, match=r"embedding\.text: field author holds whole rows") as raised:
        drawn(session, embedding={"text": "{author}"})
    assert "author" in raised.value.hint
