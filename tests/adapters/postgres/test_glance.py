"""One look at all feeds of a pipeline: it sees what a read of any of them would find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.feed import PostgresChangeFeed
from syncer.adapters.postgres.glance import GlancedFeed, PostgresGlance
from syncer.adapters.postgres.related_feed import PostgresRelatedFeed
from syncer.adapters.postgres.related_tombstones import PostgresRelatedTombstones
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.tombstones import PostgresTombstones
from syncer.core.error import SourceUnavailable
from syncer.core.position import START, Position, Stretch
from syncer.core.relation import Join
from tests.adapters.postgres.conftest import ReadTable
from tests.adapters.postgres.noting import SCHEMA, install, remove
from tests.adapters.postgres.waiting import scans, wait_until_gone

Connection = psycopg.Connection[Any]

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LATER = datetime(2999, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TABLES = """
CREATE TABLE author (id integer PRIMARY KEY, updated_at timestamptz NOT NULL);
CREATE INDEX ON author (updated_at, id);
CREATE TABLE item (id bigint PRIMARY KEY, author integer, updated_at timestamp NOT NULL);
CREATE INDEX ON item (updated_at, id);
"""


@dataclass
class Looks:
    """A pipeline's four feeds, and a glance at them."""

    feeds: list[GlancedFeed]
    glance: PostgresGlance

    def any(self, start: datetime = NOON, until: datetime = LATER) -> bool:
        return self.glance.any_change({feed.name: Stretch(start, until) for feed in self.feeds})

    def read(self, start: datetime = NOON, until: datetime = LATER) -> list[str]:
        """Return what is read of all feeds, as keys."""
        pages = (feed.read(Position(start), until, 10) for feed in self.feeds)
        return [change.key[0] for page in pages for change in page.changes]


@pytest.fixture(name="looks")
def _looks(admin: Connection, session: Session, read: ReadTable) -> Looks:
    admin.execute(TABLES)
    # The stamps of one table have no zone.
    item = read(watermark_zone="Europe/Berlin")
    joins = [Join(read("author"), (("author", "id"),))]
    install(session, item)
    install(session, joins[0].table, columns=["id"])
    feeds: list[GlancedFeed] = [
        PostgresChangeFeed(session, item),
        PostgresTombstones(session, item, SCHEMA),
        PostgresRelatedFeed(session, item, joins),
        PostgresRelatedTombstones(session, item, joins, SCHEMA),
    ]
    looks = Looks(feeds, PostgresGlance(session, feeds))
    # A read tells a feed that its triggers are there.
    assert looks.read() == []
    assert not looks.any()
    return looks


def test_a_row_is_seen_within_its_stretch_both_ends_included(looks: Looks, admin: Connection) -> None:
    """By the clock of the table's watermark."""
    admin.execute("INSERT INTO item VALUES (1, NULL, '2026-05-04 12:00:05')")
    at = NOON + 5 * SECOND
    assert looks.any(at, at)
    assert not looks.any(NOON, at - SECOND)
    assert not looks.any(at + SECOND, LATER)


@pytest.mark.parametrize("change", ["DELETE FROM item", "UPDATE author SET updated_at = now()", "DELETE FROM author"])
def test_any_feed_may_be_the_one(looks: Looks, admin: Connection, change: str) -> None:
    """Of the table or a related one, of rows or of tombstones."""
    admin.execute("INSERT INTO author VALUES (7, '2026-05-04 11:00Z')")
    admin.execute("INSERT INTO item VALUES (1, 7, '2026-05-04 11:00')")
    assert not looks.any()
    admin.execute(change)
    assert looks.any()
    assert looks.read() == ["1"]


def test_triggers_that_come_are_seen(looks: Looks, admin: Connection, session: Session, read: ReadTable) -> None:
    """Although there is nothing to read; what they note from then on is seen and read."""
    for feed in (read(watermark_zone="Europe/Berlin"), read("author")):
        remove(session, feed)
    # Once to find that they are gone, whatever else there is.
    assert looks.any()
    assert looks.read() == []
    assert not looks.any()
    admin.execute("INSERT INTO item VALUES (1, NULL, '2026-05-04 11:00')")
    install(session, read(watermark_zone="Europe/Berlin"))
    assert looks.any()
    assert looks.read() == []
    assert not looks.any()
    admin.execute("DELETE FROM item")
    assert looks.any()
    assert looks.read() == ["1"]


def test_what_cannot_be_looked_at_is_read(looks: Looks, admin: Connection) -> None:
    """So that the feed's own read tells what is wrong."""
    admin.execute("ALTER TABLE author RENAME TO writer")
    assert looks.any()


def test_a_server_that_is_gone_is_an_error(looks: Looks, admin: Connection, session: Session) -> None:
    """It cannot be read either."""
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncer'")
    wait_until_gone(admin)
    with pytest.raises(SourceUnavailable):
        looks.any()


def test_a_glance_reads_indices_and_no_table(looks: Looks, admin: Connection, session: Session) -> None:
    """Whether statistics know of the rows or not."""
    admin.execute("INSERT INTO author SELECT i, '2026-05-04 11:00Z' FROM generate_series(1, 20000) AS i")
    admin.execute("INSERT INTO item SELECT i, i, '2026-05-04 11:00' FROM generate_series(1, 20000) AS i")
    admin.execute(
        "INSERT INTO syncer.tombstones (at, relation, key)"
        " SELECT '2026-05-04 11:00Z', 'public.item', ARRAY[i::text] FROM generate_series(1, 20000) AS i"
    )
    before = wholly_read(admin, session)
    assert not looks.any()
    admin.execute("ANALYZE")
    assert not looks.any()
    assert looks.any(START.watermark)
    assert wholly_read(admin, session) == before


def wholly_read(admin: Connection, session: Session) -> list[int]:
    """Return how often each table was read as a whole, after the end of all sessions but the administrator's."""
    session.close()
    wait_until_gone(admin)
    return [scans(admin, table)[0] for table in ("item", "author", "tombstones")]
