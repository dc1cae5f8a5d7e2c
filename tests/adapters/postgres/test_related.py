"""Documents that are made of several tables: what each kind of relation becomes, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.digests import PostgresDigests
from syncer.adapters.postgres.documents import PostgresDocuments, hydration_statement
from syncer.adapters.postgres.session import Session
from syncer.core.field import Field, Related
from syncer.core.relation import Aggregate, Join, Order, Relation
from syncer.core.table import Table
from tests.adapters.postgres.conftest import OpenSession, ReadTable

Connection = psycopg.Connection[Any]

SCHEMA = """
CREATE TABLE country (code text PRIMARY KEY, name text, updated_at timestamptz DEFAULT now());
CREATE TABLE author (
    id integer PRIMARY KEY, name text, country text, boss integer, gone boolean, updated_at timestamptz DEFAULT now()
);
CREATE TABLE article (
    id integer PRIMARY KEY, title text, author_id integer, updated_at timestamptz DEFAULT now()
);
CREATE TABLE comment (
    article_id integer, number integer, body text, likes integer, notes json, updated_at timestamptz DEFAULT now(),
    PRIMARY KEY (article_id, number)
);
CREATE TABLE article_tag (
    article integer, tag integer, hidden boolean, updated_at timestamptz DEFAULT now(), PRIMARY KEY (article, tag)
);
CREATE TABLE tag (id integer PRIMARY KEY, name text, updated_at timestamptz DEFAULT now());
INSERT INTO country VALUES ('it', 'Italy'), ('de', 'Germany');
INSERT INTO author VALUES (1, 'Ada', 'it', NULL, false), (2, 'Bo', 'de', 1, false), (3, 'Cy', 'xx', 2, true);
INSERT INTO article VALUES (1, 'one', 2), (2, 'two', NULL), (3, 'three', 3);
INSERT INTO comment VALUES (1, 1, 'fine', 2, E'{"a":\\n1}'), (1, 2, 'bad', NULL, NULL), (1, 3, 'so', 2, '[]');
INSERT INTO tag VALUES (1, 'red'), (2, 'blue'), (3, 'green');
INSERT INTO article_tag VALUES (1, 3, false), (1, 1, false), (1, 2, true), (3, 2, false);
"""


@pytest.fixture(autouse=True)
def _schema(admin: Connection) -> None:
    admin.execute(SCHEMA)


@pytest.fixture(name="tables")
def _tables(read: ReadTable) -> Mapping[str, Table]:
    settings = {"author": {"soft_delete": "gone"}, "article_tag": {"where": "not hidden"}}
    names = ("country", "author", "article", "comment", "article_tag", "tag")
    return {name: read(name, **settings.get(name, {})) for name in names}


def field(name: str, relation: Relation, column: str = "", *, inner: tuple[Field, ...] = (), **related: Any) -> Field:
    return Field(name, column, "object", related=Related(relation, inner, **related))


def plain(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, name, "keyword") for name in names)


def to_one(table: Table, on: Mapping[str, str], name: str = "") -> Relation:
    return Relation(name or table.name, (Join(table, tuple(on.items())),))


def to_many(table: Table, on: Mapping[str, str], *order: Order, limit: int | None = None) -> Relation:
    return Relation(table.name, (Join(table, tuple(on.items())),), many=True, order=order, limit=limit)


def through(table: Table, by: Table, on: Mapping[str, str], to: Mapping[str, str], *order: Order) -> Relation:
    return Relation(table.name, (Join(by, tuple(on.items())), Join(table, tuple(to.items()))), many=True, order=order)


def hydrated(session: Session, table: Table, *fields: Field) -> dict[str, Any]:
    drafts = PostgresDocuments(session, table, fields, ()).hydrate([("1",), ("2",), ("3",)]).drafts
    assert not any("\n" in draft.body for draft in drafts)
    return {draft.key[0]: json.loads(draft.body) for draft in drafts}


def test_the_row_that_a_row_points_to_is_an_object(session: Session, tables: Mapping[str, Table]) -> None:
    """And null where there is none, or it is soft-deleted; its own relations are objects in it."""
    country = field("country", to_one(tables["country"], {"country": "code"}), inner=plain("name"))
    author = to_one(tables["author"], {"author_id": "id"})
    found = hydrated(session, tables["article"], *plain("id"), field("author", author, inner=(*plain("name"), country)))
    assert found == {
        "1": {"id": 1, "author": {"name": "Bo", "country": {"name": "Germany"}}},
        "2": {"id": 2, "author": None},
        "3": {"id": 3, "author": None},
    }


def test_rows_that_point_to_a_row_are_an_array_in_their_order(session: Session, tables: Mapping[str, Table]) -> None:
    """Those that are equal by it in that of their keys; up to a limit. None: an empty array."""
    comment, fields = tables["comment"], plain("number", "body")
    on = {"id": "article_id"}
    best = to_many(comment, on, Order("likes", descending=True), limit=2)
    last = to_many(comment, on, Order("number", descending=True))
    found = hydrated(session, tables["article"], field("best", best, inner=fields), field("last", last, "number"))
    assert found["1"] == {
        "best": [{"number": 1, "body": "fine"}, {"number": 3, "body": "so"}],
        "last": [3, 2, 1],
    }
    assert found["2"] == {"best": [], "last": []}


def test_rows_are_reached_through_others(session: Session, tables: Mapping[str, Table]) -> None:
    """A row of the join table that does not meet its condition leads nowhere."""
    tags = through(tables["tag"], tables["article_tag"], {"id": "article"}, {"tag": "id"}, Order("name"))
    found = hydrated(session, tables["article"], field("tags", tags, "name"))
    assert found == {"1": {"tags": ["green", "red"]}, "2": {"tags": []}, "3": {"tags": ["blue"]}}


def test_a_table_is_related_to_itself(session: Session, tables: Mapping[str, Table]) -> None:
    """Every level is another row, though all are called the same; a condition means the innermost one."""
    author = tables["author"]
    boss = to_one(author, {"boss": "id"}, "boss")
    staff = Relation("author", (Join(author, (("id", "boss"),)),), many=True)
    bosses = field("boss", boss, inner=(*plain("name"), field("boss", boss, "name")))
    found = hydrated(session, author, *plain("name"), bosses, field("staff", staff, "name"))
    assert found["1"] == {"name": "Ada", "boss": None, "staff": ["Bo"]}
    assert found["2"] == {"name": "Bo", "boss": {"name": "Ada", "boss": None}, "staff": []}


def test_a_value_of_many_rows(session: Session, tables: Mapping[str, Table]) -> None:
    """How many there are, or the least, the greatest, the sum or the mean of a column."""
    comments = to_many(tables["comment"], {"id": "article_id"})
    found = hydrated(
        session,
        tables["article"],
        field("comments", comments, aggregate=Aggregate.COUNT),
        field("liked", comments, "likes", aggregate=Aggregate.COUNT),
        *(field(each.value, comments, "number", aggregate=each) for each in Aggregate if each is not Aggregate.COUNT),
    )
    assert found["1"] == {"comments": 3, "liked": 2, "min": 1, "max": 3, "sum": 6, "avg": 2}
    assert found["2"] == {"comments": 0, "liked": 0, "min": None, "max": None, "sum": None, "avg": None}


def test_one_column_of_the_row_that_a_row_points_to(session: Session, tables: Mapping[str, Table]) -> None:
    """Null where there is none."""
    author = to_one(tables["author"], {"author_id": "id"})
    found = hydrated(session, tables["article"], field("author_name", author, "name"))
    assert [found[key]["author_name"] for key in "123"] == ["Bo", None, None]


def test_json_of_others_stays_on_one_line(session: Session, tables: Mapping[str, Table]) -> None:
    """A line break in it would end the line of a bulk request."""
    comments = to_many(tables["comment"], {"id": "article_id"})
    found = hydrated(session, tables["article"], field("notes", comments, "notes"))
    assert found["1"] == {"notes": [{"a": 1}, None, []]}


def test_a_comparison_sees_what_hydration_sees(
    open_session: OpenSession, session: Session, tables: Mapping[str, Table]
) -> None:
    """The same hash for every row."""
    fields = (*plain("id"), field("notes", to_many(tables["comment"], {"id": "article_id"}), "notes"))
    digests = PostgresDigests(open_session, tables["article"], fields)
    found = {digest[0]: digest[1] for page in digests.pages() for digest in page}
    digests.close()
    drafts = PostgresDocuments(session, tables["article"], fields, ()).hydrate([("1",), ("2",), ("3",)]).drafts
    assert found == {draft.key[0]: draft.hash for draft in drafts}


def test_related_rows_are_found_by_their_indices(
    admin: Connection, session: Session, tables: Mapping[str, Table]
) -> None:
    """Whatever the depth, no table is read as a whole, so that the cost follows the batch."""
    admin.execute(
        "INSERT INTO author SELECT i, 'n' || i, 'it', NULL, false FROM generate_series(10, 5000) AS i;"
        "INSERT INTO article SELECT i, 't' || i, i FROM generate_series(10, 5000) AS i;"
        "INSERT INTO comment SELECT i, n, 'b', 1, NULL FROM generate_series(10, 5000) AS i, generate_series(1, 3) AS n;"
        "INSERT INTO tag SELECT i, 'g' || i FROM generate_series(10, 5000) AS i;"
        "INSERT INTO article_tag SELECT i, i, false FROM generate_series(10, 5000) AS i;"
        "INSERT INTO country SELECT 'c' || i, 'n' FROM generate_series(10, 5000) AS i;"
        "ANALYZE"
    )
    country = field("country", to_one(tables["country"], {"country": "code"}), "name")
    author = field("author", to_one(tables["author"], {"author_id": "id"}), inner=(*plain("name"), country))
    comments = field("comments", to_many(tables["comment"], {"id": "article_id"}), inner=plain("body"))
    tags = through(tables["tag"], tables["article_tag"], {"id": "article"}, {"tag": "id"})
    count = field("count", to_many(tables["comment"], {"id": "article_id"}), aggregate=Aggregate.COUNT)
    statement = hydration_statement(tables["article"], (author, comments, field("tags", tags, "name"), count), ())
    keys = "'{" + ",".join(str(i) for i in range(10, 60)) + "}'"
    explained = admin.execute(("EXPLAIN " + statement.replace(":key_1", keys)).encode()).fetchall()
    plan = "\n".join(line for (line,) in explained)
    assert "Seq Scan" not in plan, plan
    assert plan.count("Index") >= 5, plan
