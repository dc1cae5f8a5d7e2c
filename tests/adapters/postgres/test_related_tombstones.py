"""Tombstones of related tables, as the keys of the documents that their rows were part of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import psycopg
import pytest

from syncer.adapters.postgres.related_tombstones import PostgresRelatedTombstones
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.tombstone_table import TombstoneTable
from syncer.core.change import WHOLE_TABLE
from syncer.core.error import AccessDenied
from syncer.core.fan_out import FanOut
from syncer.core.position import START
from syncer.core.relation import Join
from syncer.core.table import Table
from tests.adapters.postgres.conftest import OpenSession, ReadTable
from tests.adapters.postgres.fanning import LATER, led, pages_of
from tests.adapters.postgres.noting import SCHEMA, Connection, install, install_noting, remove
from tests.adapters.postgres.waiting import scans, wait_until_gone

TABLES = """
CREATE TABLE author (id integer, tenant integer, name text, updated_at timestamptz, PRIMARY KEY (tenant, id));
CREATE TABLE article (id bigint PRIMARY KEY, tenant integer, author integer, updated_at timestamptz);
INSERT INTO author VALUES (1, 7), (2, 7), (3, 7), (4, 7), (5, 7);
INSERT INTO article SELECT i, 7, CASE WHEN i <= 10 THEN 1 WHEN i <= 12 THEN 3 END FROM generate_series(1, 14) AS i;
"""
BY_AUTHOR = (("tenant", "tenant"), ("author", "id"))
NOTED = ("id", "tenant")


@pytest.fixture(name="tables")
def _tables(admin: Connection, session: Session, read: ReadTable) -> Mapping[str, Table]:
    admin.execute(TABLES)
    tables = {name: read(name) for name in ("author", "article")}
    install(session, tables["author"], columns=NOTED)
    return tables


@pytest.fixture(name="authors")
def _authors(session: Session, tables: Mapping[str, Table]) -> PostgresRelatedTombstones:
    return PostgresRelatedTombstones(session, tables["article"], [Join(tables["author"], BY_AUTHOR)], SCHEMA)


def keys(feed: PostgresRelatedTombstones, rows: int = 100) -> list[str]:
    """Return the documents that it leads to, the rest of each page's behind it."""
    found = []
    for page in pages_of(feed, rows):
        assert len({(change.row, change.key) for change in page}) == len(page)
        found += [key for _, key in led(feed, page, rows)]
    return found


ALL = [str(i) for i in (11, 12, *range(1, 11))]


@pytest.mark.parametrize("rows", [1, 2, 3, 9, 10, 11, 12, 13, 100])
def test_deleted_rows_lead_to_the_documents_that_they_were_part_of(
    admin: Connection, authors: PostgresRelatedTombstones, rows: int
) -> None:
    """In the order in which they were deleted; one that was part of none takes a place."""
    for id_ in (2, 3, 4, 1, 5):
        admin.execute(f"DELETE FROM author WHERE id = {id_}")
    assert keys(authors, rows) == ALL


def test_a_position_is_that_of_a_tombstone(admin: Connection, authors: PostgresRelatedTombstones) -> None:
    """Never within the documents of one; the change says by what the others are reached."""
    admin.execute("DELETE FROM author WHERE id = 1")
    page = authors.read(START, LATER, 4)
    assert [change.fans_out_by for change in page.changes] == [("7", "1")]
    assert page.next is not None
    assert {change.row for change in page.changes} == {page.next.key}
    assert authors.read(page.next, LATER, 4).changes == ()


def test_a_moved_row_leads_to_old_and_new_documents(admin: Connection, authors: PostgresRelatedTombstones) -> None:
    """Though its watermark is what it was."""
    admin.execute("UPDATE author SET id = 9 WHERE id = 3; UPDATE article SET author = 9 WHERE id = 14")
    assert keys(authors) == ["11", "12", "14"]


def test_a_table_without_watermark_is_followed(
    admin: Connection, session: Session, tables: Mapping[str, Table], authors: PostgresRelatedTombstones
) -> None:
    """Whatever happens to its rows."""
    install(session, replace(tables["author"], watermark=None), columns=NOTED)
    admin.execute("UPDATE author SET name = 'x' WHERE id = 3; UPDATE article SET author = 6 WHERE id = 14")
    admin.execute("INSERT INTO author VALUES (6, 7)")
    assert sorted(keys(authors)) == ["11", "12", "14"]


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 100])
def test_a_truncated_table_asks_for_a_comparison(
    admin: Connection, authors: PostgresRelatedTombstones, rows: int
) -> None:
    """Between the documents of other tombstones."""
    admin.execute("DELETE FROM author WHERE id = 3; TRUNCATE author; INSERT INTO author VALUES (3, 7)")
    admin.execute("DELETE FROM author")
    assert keys(authors, rows) == ["11", "12", "all", "11", "12"]
    changes = [change for page in pages_of(authors, rows) for change in page]
    assert [change.truncated for change in changes if change.key == WHOLE_TABLE and not change.fans_out_by] == [True]
    assert sum(change.truncated for change in changes) == 1


def test_triggers_that_were_not_there_before_ask_for_a_comparison(
    session: Session, tables: Mapping[str, Table], authors: PostgresRelatedTombstones
) -> None:
    """As one that nobody has truncated the table for."""
    install_noting(session, tables["author"], columns=("id",))
    assert [(change.key, change.truncated) for page in pages_of(authors, 10) for change in page] == [
        (WHOLE_TABLE, False)
    ]


@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_what_cannot_be_followed_leads_nowhere(
    admin: Connection, authors: PostgresRelatedTombstones, rows: int
) -> None:
    """Values of an earlier type, a column that was not noted, a NULL; none delays another."""
    admin.execute("DELETE FROM author WHERE id = 3")
    admin.execute(
        "INSERT INTO syncer.tombstones (relation, key, columns) VALUES ('public.author', '{7, 1}', NULL),"
        """('public.author', '{7, 1}', '{"id": "1"}'), ('public.author', '{7, 1}', '{"id": "1", "tenant": null}'),"""
        """('public.author', '{7, 1}', '{"id": "one", "tenant": "7"}'),"""
        """('public.author', '{7, 1}', '{"id": "99999999999", "tenant": "7"}'),"""
        """('public.author', '{7, 1}', '{"id": "001", "tenant": "7"}')"""
    )
    assert keys(authors, rows) == ALL


def test_triggers_that_come_and_go(
    admin: Connection, session: Session, tables: Mapping[str, Table], authors: PostgresRelatedTombstones
) -> None:
    """Nothing is an error, and what is noted later is read; nor are tombstones of an earlier version."""
    for id_ in (1, 3):
        remove(session, tables["author"])
        assert keys(authors) == []
        install(session, tables["author"])
        admin.execute("ALTER TABLE syncer.tombstones DROP COLUMN columns")
        fresh = PostgresRelatedTombstones(session, tables["article"], [Join(tables["author"], BY_AUTHOR)], SCHEMA)
        assert keys(fresh) == []
        install(session, tables["author"], columns=NOTED)
        admin.execute(f"DELETE FROM author WHERE id = {id_}")
        assert keys(authors) == keys(fresh) != []


def test_a_role_without_privilege(
    admin: Connection, open_session: OpenSession, tables: Mapping[str, Table], role: str
) -> None:
    """To read is an error with the GRANT that mends it."""
    admin.execute(f'DELETE FROM author; GRANT SELECT ON article TO "{role}"')
    feed = PostgresRelatedTombstones(open_session(role), tables["article"], [Join(tables["author"], BY_AUTHOR)], SCHEMA)
    with pytest.raises(AccessDenied, match="may not read") as denied:
        feed.read(START, LATER, 10)
    admin.execute(denied.value.hint.encode())
    assert sorted(keys(feed), key=int) == [str(i) for i in range(1, 13)]


def test_feeds_of_one_table_are_pruned_together(
    admin: Connection, session: Session, tables: Mapping[str, Table], authors: PostgresRelatedTombstones
) -> None:
    """Their names begin with that of what is pruned."""
    pruned = TombstoneTable(session, tables["author"], SCHEMA)
    assert authors.name == (
        f"{pruned.name} by public.author.tenant = public.article.tenant and public.author.id = public.article.author"
    )
    admin.execute("DELETE FROM author")
    assert pruned.prune(LATER, 3) == 3
    assert pruned.prune(LATER, 3) == 2


def test_a_page_costs_what_it_holds(
    admin: Connection, postgres_url: str, session: Session, authors: PostgresRelatedTombstones
) -> None:
    """Documents are reached by an index, though one row was part of most of them; and so is their rest."""
    # In a session of its own, at whose end what it did is counted.
    with psycopg.connect(postgres_url, autocommit=True) as writer:
        writer.execute(
            "INSERT INTO author SELECT i, 7 FROM generate_series(10, 20000) AS i;"
            "INSERT INTO article SELECT i, 7, CASE WHEN i % 2 = 0 THEN 1 ELSE i END FROM generate_series(20, 20000) i;"
            "CREATE INDEX ON article (tenant, author, id); DELETE FROM author"
        )
        writer.execute("VACUUM ANALYZE article")
    session.close()
    wait_until_gone(admin)
    before = scans(admin, "article")
    page = authors.read(START, LATER, 1000)
    [change] = page.changes
    assert change.fans_out_by is not None
    assert len(authors.documents(FanOut(authors.way, change.fans_out_by), 1000)) == 1000
    session.close()
    wait_until_gone(admin)
    assert scans(admin, "article")[0] == before[0]
