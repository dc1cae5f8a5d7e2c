"""Changes of related tables, as the keys of documents: what they lead to, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.related_feed import PostgresRelatedFeed, readable_page
from syncer.adapters.postgres.session import Session
from syncer.core.change import Change
from syncer.core.position import START, Position
from syncer.core.relation import Join
from syncer.core.table import Table
from tests.adapters.postgres.conftest import ReadTable

Connection = psycopg.Connection[Any]

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
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


@pytest.fixture(name="tables")
def _tables(admin: Connection, read: ReadTable) -> Mapping[str, Table]:
    admin.execute(SCHEMA)
    return {name: read(name) for name in ("country", "author", "article")}


@pytest.fixture(name="authors")
def _authors(session: Session, tables: Mapping[str, Table]) -> PostgresRelatedFeed:
    return PostgresRelatedFeed(session, tables["article"], [Join(tables["author"], BY_AUTHOR)])


def pages_of(feed: PostgresRelatedFeed, rows: int, start: Position = START) -> Sequence[Sequence[Change]]:
    pages = []
    position: Position | None = start
    while position is not None:
        page = feed.read(position, LATER, rows)
        assert len(page.changes) <= rows
        pages.append(page.changes)
        assert page.next != position
        position = page.next
    return pages


def led(changes: Sequence[Change]) -> list[tuple[Any, ...]]:
    return [(change.row, change.key[0]) for change in changes]


ALL = [(("7", "1"), str(i)) for i in range(1, 11)] + [(("7", "3"), "11"), (("7", "3"), "12")]


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 13, 14, 100])
def test_a_page_goes_on_within_the_documents_of_a_row(authors: PostgresRelatedFeed, rows: int) -> None:
    """Each document comes once, in order, however many one row is part of."""
    changes = [change for page in pages_of(authors, rows) for change in page]
    assert led(changes) == ALL
    assert {change.watermark for change in changes} == {NOON}
    assert len({change.row_version for change in changes}) == 1


def test_a_row_that_is_part_of_no_document_is_no_change(admin: Connection, authors: PostgresRelatedFeed) -> None:
    """Pages without a change are followed by others."""
    admin.execute("UPDATE article SET author = 2 WHERE id = 14; DELETE FROM article WHERE id < 14")
    pages = pages_of(authors, 1)
    assert [led(page) for page in pages if page] == [[(("7", "2"), "14")]]
    assert not pages[0]
    assert len(pages) > 3


def test_a_row_is_read_again_from_its_first_document_when_it_changes(
    admin: Connection, authors: PostgresRelatedFeed
) -> None:
    """In the middle of its documents: it stands behind the others then, under its new watermark."""
    page = authors.read(START, LATER, 4)
    assert page.next == Position(NOON, ("7", "1", "4"))
    admin.execute("UPDATE author SET updated_at = updated_at + interval '1 hour' WHERE id = 1 AND tenant = 7")
    rest = [change for page in pages_of(authors, 4, page.next) for change in page]
    assert led(rest) == [*ALL[10:], *ALL[:10]]


def test_documents_are_reached_through_several_tables(session: Session, tables: Mapping[str, Table]) -> None:
    """Whatever hides a row on the way: a document changes with what is hidden now."""
    joins = [Join(tables["author"], BY_AUTHOR), Join(tables["country"], (("country", "code"),))]
    feed = PostgresRelatedFeed(session, tables["article"], joins)
    for rows in (1, 5, 100):
        changes = [change for page in pages_of(feed, rows) for change in page]
        assert led(changes) == [(("it",), str(i)) for i in range(1, 13)]


def test_each_way_to_a_table_is_a_feed_of_its_own(session: Session, tables: Mapping[str, Table]) -> None:
    """Its name says which, and stays the same."""
    article, author = tables["article"], tables["author"]
    names = [
        PostgresRelatedFeed(session, article, [Join(author, BY_AUTHOR)]).name,
        PostgresRelatedFeed(session, article, [Join(author, (("author", "id"),))]).name,
        PostgresRelatedFeed(
            session, article, [Join(author, BY_AUTHOR), Join(tables["country"], (("country", "code"),))]
        ).name,
    ]
    assert names == [
        "public.author by public.author.tenant = public.article.tenant and public.author.id = public.article.author",
        "public.author by public.author.id = public.article.author",
        "public.country by public.country.code = public.author.country, "
        "public.author.tenant = public.article.tenant and public.author.id = public.article.author",
    ]


def test_only_what_lies_between_the_bounds_is_read(admin: Connection, authors: PostgresRelatedFeed) -> None:
    """From the start's watermark on, and not above `until`."""
    admin.execute("UPDATE author SET updated_at = '2026-05-04 13:00Z' WHERE id = 3")
    hour = timedelta(hours=1)
    assert led(authors.read(START, NOON, 100).changes) == ALL[:10]
    assert led(authors.read(Position(NOON + hour), LATER, 100).changes) == ALL[10:]
    assert authors.read(Position(NOON + 2 * hour), LATER, 100).changes == []


def test_a_page_costs_what_it_holds(admin: Connection, tables: Mapping[str, Table]) -> None:
    """No table is read as a whole, though one row is part of most documents."""
    admin.execute(
        "INSERT INTO author SELECT i, 7, 'it' FROM generate_series(10, 20000) AS i;"
        "INSERT INTO article SELECT i, 7, CASE WHEN i % 2 = 0 THEN 1 ELSE i END FROM generate_series(20, 20000) AS i;"
        "CREATE INDEX ON author (updated_at, tenant, id); CREATE INDEX ON article (tenant, author, id); ANALYZE"
    )
    statement = readable_page(tables["article"], [Join(tables["author"], BY_AUTHOR)], 100)
    for name, value in {"start": NOON, "until": LATER, "after_1": 7, "after_2": 1, "document_1": 5000}.items():
        statement = statement.replace(f":{name}", f"'{value}'")
    found = admin.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {statement}".encode()).fetchall()
    plan = "\n".join(line for (line,) in found)
    assert "Seq Scan" not in plan, plan
