"""Pages of changes: order, bounds and what they cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.feed import COUNTED_MAX, END, PostgresChangeFeed, Unreachable, page, unreachable
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.sql import readable
from syncer.core.change import Change
from syncer.core.position import START, Position
from syncer.core.table import Table
from tests.adapters.postgres.conftest import ReadTable
from tests.adapters.postgres.waiting import wait_for

Connection = psycopg.Connection[Any]

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)


def create(admin: Connection, *watermarks: str, type_: str = "timestamptz") -> None:
    """Create a table with rows 1, 2, … of these watermarks."""
    admin.execute(f"CREATE TABLE item (id bigint PRIMARY KEY, updated_at {type_})")
    for id_, watermark in enumerate(watermarks, start=1):
        admin.execute("INSERT INTO item VALUES (%s, %s)", (id_, watermark))


def read_all(feed: PostgresChangeFeed, rows: int, until: datetime = LATER) -> list[Change]:
    found: list[Change] = []
    position = START
    while changes := feed.read(position, until, rows).changes:
        assert len(changes) <= rows
        found += changes
        position = Position(changes[-1].watermark, changes[-1].key)
    return found


def test_pages_go_on_within_one_watermark_by_key(admin: Connection, session: Session, read: ReadTable) -> None:
    """† Pages go on within one watermark by key, in the database's order: every row comes once."""
    create(admin)
    admin.execute("INSERT INTO item SELECT i, %s FROM generate_series(1, 25) AS i", (NOON,))
    changes = read_all(PostgresChangeFeed(session, read()), rows=10)
    assert [change.key for change in changes] == [(str(i),) for i in range(1, 26)]
    assert {change.watermark for change in changes} == {NOON}
    assert all(change.watermark.tzinfo is UTC for change in changes)


def test_composite_key(admin: Connection, session: Session, read: ReadTable) -> None:
    """A composite key continues a page in all its parts, whatever its columns are called."""
    admin.execute(
        'CREATE TABLE item (key_2 integer, "wa%s:x" text, updated_at timestamptz, PRIMARY KEY (key_2, "wa%s:x"))'
    )
    admin.execute("INSERT INTO item SELECT i / 5, i %% 5, %s FROM generate_series(0, 99) AS i", (NOON,))
    keys = [change.key for change in read_all(PostgresChangeFeed(session, read()), rows=7)]
    assert keys == [(str(i // 5), str(i % 5)) for i in range(100)]


def test_start_and_until(admin: Connection, session: Session, read: ReadTable) -> None:
    """A start without key includes its watermark, one with a key what follows it there; `until` is included."""
    create(admin, "2026-05-04 11:00Z", "2026-05-04 12:00Z", "2026-05-04 12:00Z", "2026-05-04 13:00Z")
    feed = PostgresChangeFeed(session, read())
    assert keys_of(feed, Position(NOON)) == ["2", "3", "4"]
    assert keys_of(feed, Position(NOON, ("2",))) == ["3", "4"]
    assert keys_of(feed, START, until=NOON) == ["1", "2", "3"]
    assert keys_of(feed, START, until=NOON - timedelta(microseconds=1)) == ["1"]


def keys_of(feed: PostgresChangeFeed, start: Position, until: datetime = LATER) -> list[str]:
    return [change.key[0] for change in feed.read(start, until, 100).changes]


def test_watermarks_that_python_cannot_hold(admin: Connection, session: Session, read: ReadTable) -> None:
    """Infinite, ancient and missing watermarks are never fetched, and delay no other row."""
    create(
        admin, "-infinity", "0044-03-15 12:00Z BC", "0001-01-01 00:00Z", "9999-12-31 23:59Z", "12000-01-01", "infinity"
    )
    admin.execute("INSERT INTO item VALUES (7, NULL)")
    changes = read_all(PostgresChangeFeed(session, read()), rows=1, until=END)
    assert [change.key for change in changes] == [("3",), ("4",)]


def test_an_update_within_one_watermark_shows_in_the_row_version(
    admin: Connection, session: Session, read: ReadTable
) -> None:
    """† An update within one watermark shows in the row version."""
    create(admin, str(NOON))
    feed = PostgresChangeFeed(session, read())
    (before,) = feed.read(START, LATER, 10).changes
    admin.execute("UPDATE item SET updated_at = updated_at")
    (after,) = feed.read(START, LATER, 10).changes
    assert (after.key, after.watermark) == (before.key, before.watermark)
    assert after.row_version != before.row_version


def test_a_watermark_without_zone_is_read_as_utc(admin: Connection, session: Session, read: ReadTable) -> None:
    """† A watermark without time zone is read as UTC, and the feed says which zone it really is."""
    create(admin, "2026-05-04 11:59:59", "2026-05-04 12:00:00.000001", type_="timestamp")
    feed = PostgresChangeFeed(session, read(watermark_zone="America/New_York"))
    (change,) = feed.read(Position(NOON), LATER, 10).changes
    assert change.watermark == NOON + timedelta(microseconds=1)
    assert feed.watermark_zone == "America/New_York"
    assert feed.read(Position(change.watermark, change.key), LATER, 10).changes == []


def test_odd_names(admin: Connection, session: Session, read: ReadTable) -> None:
    """Names are quoted, whatever is in them."""
    admin.execute('CREATE TABLE "x""; drop table y; --" ("select" integer PRIMARY KEY, "%s ""at""" timestamptz)')
    admin.execute('INSERT INTO "x""; drop table y; --" VALUES (1, %s)', (NOON,))
    table = read('x"; drop table y; --', watermark='%s "at"')
    feed = PostgresChangeFeed(session, table)
    assert feed.name == 'public.x"; drop table y; --'
    assert keys_of(feed, START) == ["1"]
    assert unreachable(session, table, NOON) == Unreachable(0, 0, 0)


@pytest.fixture(name="large")
def _large(admin: Connection, read: ReadTable) -> Table:
    """200,000 rows, 20 of each watermark, with the index that polling needs."""
    create(admin)
    admin.execute(
        "INSERT INTO item SELECT i, timestamptz '2026-01-01 00:00Z' + i / 20 * interval '1 s' "
        "FROM generate_series(1, 200000) AS i"
    )
    admin.execute("CREATE INDEX ON item (updated_at, id)")
    admin.execute("VACUUM ANALYZE item")
    return read()


@pytest.mark.parametrize("after_key", [True, False])
def test_page_is_an_index_range(after_key: bool, large: Table, admin: Connection) -> None:
    """A page is a range of the index: no other row is looked at, and nothing is sorted."""
    statement = readable(page(large, 1000, after_key=after_key))
    for name, value in (("start", "2026-01-01 01:00Z"), ("until", "2026-06-01 00:00Z"), ("after_1", "72010")):
        statement = statement.replace(f":{name}::", f"'{value}'::")
    found = admin.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}").fetchone()
    assert found is not None
    scan = found[0][0]["Plan"]["Plans"][0]
    assert scan["Node Type"] == "Index Scan"
    assert scan["Actual Rows"] == 1000
    assert "Filter" not in scan
    assert ("ROW(updated_at, id) > ROW(" in scan["Index Cond"]) is after_key
    assert "updated_at <= " in scan["Index Cond"]


def test_cost_of_prepared_pages(large: Table, admin: Connection, session: Session) -> None:
    """Pages stay index ranges when the server has prepared their statement and executes it many times."""
    assert len(read_all(PostgresChangeFeed(session, large), rows=5000)) == 200_000
    with session.use() as connection:
        prepared = connection.exec_driver_sql(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%%xmin%%'"
        ).all()
    assert sum(row.generic_plans for row in prepared) == 0
    assert max(row.custom_plans for row in prepared) >= 30
    # The server counts what a session fetched through an index now and then, and the rest once the session has ended.
    session.close()
    fetched = "SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'item' AND idx_tup_fetch >= 200000"
    assert wait_for(lambda: admin.execute(fetched).fetchone()) == (200_000,)


def test_unreachable(admin: Connection, session: Session, read: ReadTable) -> None:
    """Rows that polling does not deliver are counted by kind; those due within the hour are not among them."""
    create(admin, "-infinity", "0044-03-15 BC", "12000-01-01", "infinity", "2999-01-01", "2026-05-04 12:59Z")
    admin.execute("INSERT INTO item VALUES (7, NULL), (8, NULL)")
    assert unreachable(session, read(), NOON) == Unreachable(missing=2, infinite=4, future=1)


def test_unreachable_without_zone(admin: Connection, session: Session, read: ReadTable) -> None:
    """A watermark without time zone is compared with the clock on its writers' wall."""
    create(admin, "2026-05-04 14:30", "2026-05-04 15:30", type_="timestamp")
    assert unreachable(session, read(watermark_zone="Europe/Berlin"), NOON).future == 1


def test_unreachable_is_bounded(large: Table, admin: Connection, session: Session) -> None:
    """Counting ends at a limit, and reads the index alone."""
    admin.execute("UPDATE item SET updated_at = NULL WHERE id <= 20000")
    assert unreachable(session, large, NOON - timedelta(days=365)) == Unreachable(COUNTED_MAX, 0, COUNTED_MAX)
