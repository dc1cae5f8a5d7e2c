"""Stamps as tables have them: of a local clock, of whole seconds, all alike, newer than the poll that reads them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from syncer.core.change import Page
from syncer.core.position import Position
from syncer.engine.pipeline import Reader
from syncer.ports import ChangeFeed
from tests.protocol.following import Following

NAIVE = "CREATE TABLE item (id integer PRIMARY KEY, title text, updated_at timestamp NOT NULL DEFAULT now())"


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu"])
def test_a_watermark_of_a_local_clock_is_followed_by_that_clock(zone: str, postgres_url: str) -> None:
    """† Taken for UTC, rows from the west would lie hours below the checkpoint, and those from the east hours ahead."""
    following = Following(postgres_url, table=NAIVE, watermark_zone=zone)
    with following.polling() as poll, following.connect() as writer, following.connect() as late:
        for session in (writer, late):
            session.execute(f"SET TimeZone = '{zone}'".encode())
        following.poll_past(poll)
        late.execute("BEGIN")
        late.execute("INSERT INTO item VALUES (1, 'late')")
        following.poll_past(poll)
        writer.execute("INSERT INTO item VALUES (2, 'in time')")
        following.poll_past(poll)
        assert following.titles() == {"2": "in time"}
        late.execute("COMMIT")
        poll()
        following.assert_equal()


def test_each_of_many_updates_within_one_second_is_delivered(postgres_url: str) -> None:
    """† The watermark does not change between them, and a row may become again what it was; `xmin` tells the updates
    apart, and cannot come back."""
    following = Following(postgres_url, margin=timedelta(seconds=2))
    following.sql("INSERT INTO item VALUES (1, 'a')")
    with following.polling() as poll:
        for title in ("b", "a", "c", "a"):
            following.sql(f"UPDATE item SET title = '{title}', updated_at = date_trunc('second', now())")
            poll()
            assert following.titles() == {"1": title}


def test_rows_that_a_vacuum_froze_are_not_delivered_again(following: Following) -> None:
    """† Freezing leaves `xmin` as it is: a row is still known by it when it is read once more."""
    with following.polling() as poll, following.connect() as late:
        following.poll_past(poll)
        late.execute("BEGIN")
        late.execute("SELECT")
        following.sql("INSERT INTO item SELECT i, 'x' FROM generate_series(1, 50) AS i")
        poll()
        late.execute("COMMIT")
        following.sql("VACUUM (FREEZE) item")
        frozen = "SELECT DISTINCT xmin::text::bigint > 2 FROM item"
        assert following.sql(frozen) == [(True,)]
        assert poll().report.read == 0


@dataclass
class BusyFeed:
    """A table that gets a page's worth of new rows whenever a page of it is read."""

    following: Following
    feed: ChangeFeed
    pages: Iterator[int]

    @property
    def name(self) -> str:
        return self.feed.name

    @property
    def watermark_zone(self) -> str | None:
        return self.feed.watermark_zone

    @property
    def reads(self) -> Hashable:
        return self.feed.reads

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        first = next(self.pages) * rows
        self.following.sql(f"INSERT INTO item SELECT i, 'x' FROM generate_series({first}, {first + rows - 1}) AS i")
        return self.feed.read(start, until, rows)


def test_a_poll_of_a_table_that_grows_as_fast_as_it_is_read_ends(following: Following) -> None:
    """† It reads no stamp later than the clock it began with, plus twice the margin."""
    world, pages = following.world, iter(range(1000))
    reader = world.pipeline.reader

    def busy() -> Reader:
        made = reader()
        feeds: Sequence[ChangeFeed] = [BusyFeed(following, feed, pages) for feed in made.feeds]
        return replace(made, feeds=feeds)

    world.pipeline = replace(world.pipeline, reader=busy)
    with following.polling() as poll:
        for _ in range(3):
            poll()
    assert 3 < next(pages) < 1000


SIZES = ["small", "medium", "large", "extra"]
ENUM = """
CREATE TYPE size AS ENUM ('small', 'medium', 'large', 'extra');
CREATE TABLE item (id size PRIMARY KEY, title text, updated_at timestamptz NOT NULL DEFAULT now())
"""


def test_keys_that_only_the_database_can_order_are_each_delivered_once(postgres_url: str) -> None:
    """† Python would sort them otherwise, and pages within one watermark would lose some."""
    following = Following(postgres_url, table=ENUM, batch_rows=1)
    assert sorted(SIZES) != SIZES
    with following.polling() as poll:
        following.poll_past(poll)
        following.sql("INSERT INTO item SELECT unnest(enum_range(NULL::size)), 'x'")
        poll()
        following.assert_equal()
        assert [write.key[0] for write in following.world.written] == SIZES
