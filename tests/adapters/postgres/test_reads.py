"""Which feeds read the same, so that pipelines of one process may share what they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from syncer.adapters.postgres.feed import PostgresChangeFeed
from syncer.adapters.postgres.related_feed import PostgresRelatedFeed
from syncer.adapters.postgres.related_tombstones import PostgresRelatedTombstones
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.adapters.postgres.tombstones import PostgresTombstones
from syncer.core.error import SourceUnavailable
from syncer.core.relation import Join
from syncer.core.table import Column, Table
from syncer.ports import ChangeFeed

Make = Callable[[Table], ChangeFeed]

SESSION = Session("postgresql://nowhere/", setting="url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)
COLUMNS = {
    name: Column(name, type_, sql)
    for name, type_, sql in (
        ("id", "int8", "bigint"),
        ("other", "int4", "integer"),
        ("updated_at", "timestamptz", "timestamp with time zone"),
        ("seen_at", "timestamptz", "timestamp with time zone"),
    )
}
TABLE = Table("public", "item", COLUMNS, ("id",), "updated_at")
JOINS = (Join(Table("public", "author", COLUMNS, ("id",), "updated_at"), (("other", "id"),)),)


def changes(table: Table) -> ChangeFeed:
    return PostgresChangeFeed(SESSION, table)


def tombstones(table: Table) -> ChangeFeed:
    return PostgresTombstones(SESSION, table, "syncer")


def related(table: Table) -> ChangeFeed:
    return PostgresRelatedFeed(SESSION, table, JOINS)


def related_tombstones(table: Table) -> ChangeFeed:
    return PostgresRelatedTombstones(SESSION, table, JOINS, "syncer")


FEEDS = [changes, tombstones, related, related_tombstones]


@pytest.mark.parametrize("feed", FEEDS)
def test_pipelines_that_differ_in_what_they_do_with_rows_read_alike(feed: Make) -> None:
    """Which rows have a document is no matter of the feed."""
    assert feed(TABLE).reads == feed(replace(TABLE, where="id > 3", soft_delete="seen_at")).reads
    hash(feed(TABLE).reads)


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize(
    "other",
    [
        replace(TABLE, name="items"),
        replace(TABLE, key=("other",)),
        replace(TABLE, watermark="seen_at"),
        replace(TABLE, columns={**COLUMNS, "id": Column("id", "text", "text")}),
    ],
    ids=["table", "key", "watermark", "type"],
)
def test_other_rows_or_another_order_are_read_apart(feed: Make, other: Table) -> None:
    """Of another table, by another key or watermark, and of a key that has become another type since."""
    assert feed(TABLE).reads != feed(other).reads


def test_what_is_read_of_one_table_in_several_ways_is_told_apart() -> None:
    """Rows, and what is noted of them; of the table itself, and on behalf of others."""
    assert len({feed(TABLE).reads for feed in FEEDS}) == len(FEEDS)


def test_a_routing_is_read_with_the_tombstones() -> None:
    """A pipeline without one is not told where documents were."""
    assert tombstones(TABLE).reads != tombstones(replace(TABLE, routing="other")).reads


def test_another_way_to_the_same_table_is_another_feed() -> None:
    """It leads to other documents."""
    otherwise = (replace(JOINS[0], on=(("id", "id"),)),)
    assert related(TABLE).reads != PostgresRelatedFeed(SESSION, TABLE, otherwise).reads
