"""Changes of related tables, as the keys of documents: what they lead to, page by page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.related_feed import PostgresRelatedFeed, readable_documents, readable_page
from syncer.adapters.postgres.session import Session
from syncer.core.change import NO_KEY
from syncer.core.fan_out import FanOut
from syncer.core.position import START, Position
from syncer.core.relation import Join
from syncer.core.table import Table
from tests.adapters.postgres.conftest import ReadTable
from tests.adapters.postgres.fanning import LATER, led, pages_of

Connection = psycopg.Connection[Any]

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SCHEMA = """
CREATE TABLE country (code text PRIMARY KEY, updated_at timestamptz DEFAULT '2026-05-04 12:00Z');
CREATE TABLE author (
    id integer, tenant integer, country text, updated_at timestamptz DEFAULT '2026-05-04 12:00Z',
    PRIMARY KEY (tenant, id)
);
CREATE TABLE article (
    id bigint PRIMARY KEY, tenant integer, author integer, updated_at timestamptz DEFAULT '2026-05-04 12:00Z'
);
INSERT INTO country VALUES ('it'), ('de'), ('fr');
INSERT INTO author VALUES (1, 7, 'it'), (2, 7, 'de'), (3, 7, 'it'), (1, 8, 'xx');
INSERT INTO article SELECT i, 7, CASE WHEN i <= 10 THEN 1 WHEN i <= 12 THEN 3 END FROM generate_series(1, 14) AS i;
"""
BY_AUTHOR = (("tenant", "tenant"), ("author", "id"))
BY_COUNTRY = (("country", "code"),)


@pytest.fixture(name="tables")
def _tables(admin: Connection, read: ReadTable) -> Mapping[str, Table]:
    admin.execute(SCHEMA)
    return {name: read(name) for name in ("country", "author", "article")}


@pytest.fixture(name="authors")
def _authors(session: Session, tables: Mapping[str, Table]) -> PostgresRelatedFeed:
    return PostgresRelatedFeed(session, tables["article"], [Join(tables["author"], BY_AUTHOR)])


@pytest.fixture(name="countries")
def _countries(session: Session, tables: Mapping[str, Table]) -> PostgresRelatedFeed:
    joins = [Join(tables["author"], BY_AUTHOR), Join(tables["country"], BY_COUNTRY)]
    return PostgresRelatedFeed(session, tables["article"], joins)


ALL = [(("7", "1"), str(i)) for i in range(1, 11)] + [(("7", "3"), "11"), (("7", "3"), "12")]


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 9, 10, 11, 13, 14, 100])
def test_each_document_comes_once(authors: PostgresRelatedFeed, rows: int) -> None:
    """In order, in a page or in the rest that it names, however many one row is part of."""
    found = []
    for page in pages_of(authors, rows):
        found += led(authors, page, rows)
        assert {(change.watermark, change.row_version) for change in page} <= {
            (NOON, page[0].row_version) if page else ()
        }
    assert found == ALL


def test_a_row_with_more_documents_than_a_page_has_a_page_of_its_own(authors: PostgresRelatedFeed) -> None:
    """One change, which tells what they are reached by. The next page is behind it."""
    page = authors.read(START, LATER, 4)
    [change] = page.changes
    assert (change.key, change.row, change.fans_out_by) == (NO_KEY, ("7", "1"), ("7", "1"))
    assert page.next == Position(NOON, ("7", "1"))


def test_a_row_that_does_not_fit_any_more_comes_with_the_next_page(
    admin: Connection, authors: PostgresRelatedFeed
) -> None:
    """As a whole, though some of its documents would fit."""
    admin.execute("UPDATE article SET author = 3 WHERE id > 8")
    page = authors.read(START, LATER, 11)
    assert led(authors, page.changes, 1000) == ALL[:8]
    assert page.next == Position(NOON, ("7", "2"))
    page = authors.read(page.next, LATER, 11)
    assert [key for _, key in led(authors, page.changes, 11)] == [str(i) for i in range(9, 15)]


@pytest.mark.parametrize("rows", [2, 3, 5, 6, 7, 13])
def test_rows_with_one_key_are_read_in_one_page(
    admin: Connection, session: Session, tables: Mapping[str, Table], read: ReadTable, rows: int
) -> None:
    """A page that ended between them would let the next one begin behind both."""
    admin.execute("CREATE TABLE remark (n integer, article bigint, updated_at timestamptz)")
    admin.execute("INSERT INTO remark SELECT i / 2, i, '2026-05-04 12:00Z' FROM generate_series(1, 14) AS i")
    feed = PostgresRelatedFeed(session, tables["article"], [Join(read("remark", key=("n",)), (("id", "article"),))])
    found = [key for page in pages_of(feed, rows) for _, key in led(feed, page, rows)]
    assert sorted(map(int, found)) == list(range(1, 15))


def test_a_row_that_is_part_of_no_document_is_no_change(admin: Connection, authors: PostgresRelatedFeed) -> None:
    """Pages without a change are followed by others."""
    admin.execute("UPDATE article SET author = 2 WHERE id = 14; DELETE FROM article WHERE id < 14")
    pages = pages_of(authors, 1)
    assert [led(authors, page, 1000) for page in pages if page] == [[(("7", "2"), "14")]]
    assert not pages[0]
    assert len(pages) > 3


def test_documents_are_reached_through_several_tables(countries: PostgresRelatedFeed) -> None:
    """Whatever hides a row on the way: a document changes with what is hidden now."""
    for rows in (1, 5, 100):
        found = []
        for page in pages_of(countries, rows):
            found += led(countries, page, rows)
        assert found == [(("it",), str(i)) for i in range(1, 13)]


def test_a_table_may_reach_itself(session: Session, admin: Connection, read: ReadTable) -> None:
    """Over several of its own rows."""
    admin.execute("CREATE TABLE part (id integer PRIMARY KEY, of integer, updated_at timestamptz DEFAULT now())")
    admin.execute("INSERT INTO part SELECT i, i / 2 FROM generate_series(1, 31) AS i")
    part = read("part")
    feed = PostgresRelatedFeed(session, part, [Join(part, (("of", "id"),))] * 3)
    changes = feed.read(START, LATER, 100).changes
    assert sorted((int(row[0]), int(key)) for row, key in led(feed, changes, 100) if row) == [
        (i // 8, i) for i in range(8, 32)
    ]


def test_a_document_that_is_reached_over_several_rows_comes_once(
    session: Session, admin: Connection, read: ReadTable
) -> None:
    """In a page, and in the rest."""
    admin.execute(
        "CREATE TABLE tag (id integer PRIMARY KEY, updated_at timestamptz DEFAULT '2026-05-04 12:00Z');"
        "CREATE TABLE article (LIKE tag INCLUDING ALL); INSERT INTO tag VALUES (1);"
        "INSERT INTO article VALUES (5), (6);"
        "CREATE TABLE tagged (article integer, tag integer, n integer, updated_at timestamptz,"
        " PRIMARY KEY (article, tag, n)); INSERT INTO tagged SELECT 5 + i / 10, 1, i FROM generate_series(0, 19) AS i"
    )
    joins = [Join(read("tagged"), (("id", "article"),)), Join(read("tag"), (("tag", "id"),))]
    feed = PostgresRelatedFeed(session, read("article"), joins)
    for rows in (1, 2, 5):
        [page] = [page for page in pages_of(feed, rows) if page]
        assert led(feed, page, rows) == [(("1",), "5"), (("1",), "6")]


def test_a_fan_out_has_bounds(authors: PostgresRelatedFeed) -> None:
    """Behind one key, and up to and with another, in the order of the database."""
    fan_out = FanOut(authors.way, ("7", "1"), after=("2",), through=("10",))
    assert authors.documents(fan_out, 100) == [(str(i),) for i in range(3, 11)]
    assert authors.documents(fan_out, 2) == [("3",), ("4",)]
    assert authors.documents(FanOut(authors.way, ("7", "1"), through=("2",)), 100) == [("1",), ("2",)]


def test_a_fan_out_by_what_is_no_value_any_more_is_over(authors: PostgresRelatedFeed) -> None:
    """The column's type was changed meanwhile."""
    assert authors.documents(FanOut(authors.way, ("7", "seven")), 100) == []


def test_each_way_to_a_table_is_a_feed_of_its_own(
    session: Session, tables: Mapping[str, Table], authors: PostgresRelatedFeed, countries: PostgresRelatedFeed
) -> None:
    """Its name says which, and stays the same."""
    otherwise = PostgresRelatedFeed(session, tables["article"], [Join(tables["author"], (("author", "id"),))])
    assert [authors.name, otherwise.name, countries.name] == [
        "public.author by public.author.tenant = public.article.tenant and public.author.id = public.article.author",
        "public.author by public.author.id = public.article.author",
        "public.country by public.country.code = public.author.country, "
        "public.author.tenant = public.article.tenant and public.author.id = public.article.author",
    ]


def test_only_what_lies_between_the_bounds_is_read(admin: Connection, authors: PostgresRelatedFeed) -> None:
    """From the start's watermark on, and not above `until`."""
    admin.execute("UPDATE author SET updated_at = '2026-05-04 13:00Z' WHERE id = 3")
    hour = timedelta(hours=1)
    assert led(authors, authors.read(START, NOON, 100).changes, 1000) == ALL[:10]
    assert led(authors, authors.read(Position(NOON + hour), LATER, 100).changes, 1000) == ALL[10:]
    assert authors.read(Position(NOON + 2 * hour), LATER, 100).changes == ()


@pytest.fixture(name="many")
def _many(admin: Connection, tables: Mapping[str, Table]) -> None:
    """Half of 20,000 articles are of one author, the others of one each; an author in ten has a country of his own."""
    admin.execute(
        "INSERT INTO author SELECT i, 7, i % 2000 FROM generate_series(10, 20000) AS i;"
        "INSERT INTO country SELECT i FROM generate_series(0, 1999) AS i;"
        "INSERT INTO article SELECT i, 7, CASE WHEN i % 2 = 0 THEN 1 ELSE i END FROM generate_series(20, 20000) AS i;"
        "CREATE INDEX ON author (updated_at, tenant, id); CREATE INDEX ON article (tenant, author, id);"
        "CREATE INDEX ON author (country); CREATE INDEX ON country (updated_at, code); ANALYZE"
    )


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("depth", [1, 2])
def test_a_page_costs_what_it_holds(admin: Connection, tables: Mapping[str, Table], depth: int) -> None:
    """No big table is read as a whole, though one row is part of most documents; and no document past the page's end,
    though all rows have one watermark."""
    joins = [Join(tables["author"], BY_AUTHOR), Join(tables["country"], BY_COUNTRY)][:depth]
    after = {"after_1": 7, "after_2": 0} if depth == 1 else {"after_1": "7"}
    plan = explained(admin, readable_page(tables["article"], joins, 100), start=NOON, until=LATER, **after)
    assert "Seq Scan on article" not in plan, plan
    assert "Seq Scan on author" not in plan, plan
    assert re.search(r"Nested Loop Left Join .* \(actual rows=101(\.00)? ", plan), plan


def test_a_row_that_is_part_of_nothing_costs_nothing(admin: Connection, tables: Mapping[str, Table]) -> None:
    """Though documents have few different authors, so that any author seems to be one of them."""
    admin.execute(
        "INSERT INTO author SELECT i, 7 FROM generate_series(100, 20000) AS i;"
        "INSERT INTO article SELECT i, 7, 10 + i % 20 FROM generate_series(20, 20000) AS i;"
        "CREATE INDEX ON author (updated_at, tenant, id); CREATE INDEX ON article (tenant, author); ANALYZE"
    )
    page = readable_page(tables["article"], [Join(tables["author"], BY_AUTHOR)], 100)
    plan = explained(admin, page, start=NOON, until=LATER, after_1=7, after_2=99)
    assert "Rows Removed by Filter" not in plan, plan
    assert "Seq Scan" not in plan, plan


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("depth", [1, 2])
def test_a_portion_costs_what_it_holds(admin: Connection, tables: Mapping[str, Table], depth: int) -> None:
    """In the middle of a row's documents."""
    joins = [Join(tables["author"], BY_AUTHOR), Join(tables["country"], BY_COUNTRY)][:depth]
    values = {"value_1": 7, "value_2": 1} if depth == 1 else {"value_1": "7"}
    statement = readable_documents(tables["article"], joins, 100)
    plan = explained(admin, statement, after_1=5000, through_1=15000, **values)
    assert "Seq Scan" not in plan, plan


@pytest.mark.parametrize("index", ["tagged (tag, article)", "tagged (tag)"])
def test_a_portion_over_a_join_table_costs_as_much_wherever_it_begins(
    admin: Connection, read: ReadTable, index: str
) -> None:
    """By an index of the join table on what leads to it and the document, or by its primary key."""
    admin.execute(
        "CREATE TABLE article (id bigint PRIMARY KEY, updated_at timestamptz);"
        "CREATE TABLE tag (id integer PRIMARY KEY, updated_at timestamptz);"
        "CREATE TABLE tagged (article integer, tag integer, PRIMARY KEY (article, tag));"
        "INSERT INTO article SELECT generate_series(1, 100000); INSERT INTO tag SELECT generate_series(1, 1000);"
        "INSERT INTO tagged SELECT i, 1 FROM generate_series(1, 100000) AS i;"
        "INSERT INTO tagged SELECT i, 2 + i % 999 FROM generate_series(1, 100000) AS i;"
        f"CREATE INDEX ON {index}"
    )
    admin.execute("VACUUM ANALYZE")
    joins = [Join(read("tagged", watermark=None), (("id", "article"),)), Join(read("tag"), (("tag", "id"),))]
    statement = readable_documents(read("article"), joins, 500)
    for after in (0, 50_000, 99_000):
        plan = explained(admin, statement, after_1=after, through_1=100_000, value_1=1)
        assert sum(map(int, re.findall(r"actual rows=(\d+)", plan))) < 3_000, plan
        assert "Rows Removed" not in plan, plan


@pytest.mark.parametrize(("key", "bounded"), [("bigint", True), ("uuid", True), ("text", False), ("numeric", False)])
def test_a_join_table_is_bounded_only_where_it_is_ordered_alike(
    admin: Connection, read: ReadTable, key: str, bounded: bool
) -> None:
    """Two columns of texts may have two collations: behind a document in one may be before it in the other."""
    admin.execute(
        f"CREATE TABLE article (id {key} PRIMARY KEY, updated_at timestamptz);"
        "CREATE TABLE tag (id integer PRIMARY KEY, updated_at timestamptz);"
        f"CREATE TABLE tagged (article {key}, tag integer, PRIMARY KEY (article, tag))".encode()
    )
    joins = [Join(read("tagged", watermark=None), (("id", "article"),)), Join(read("tag"), (("tag", "id"),))]
    statement = readable_documents(read("article"), joins, 10)
    assert ('("by 1"."article") >' in statement) is bounded


def explained(admin: Connection, statement: str, **values: object) -> str:
    for name, value in values.items():
        statement = statement.replace(f":{name}:", f"'{value}':")
    found = admin.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {statement}".encode()).fetchall()
    return "\n".join(line for (line,) in found)
