"""Keys in the database's order: ranges of them, filtered ones, and listed ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.keys import PostgresKeyFeed, PostgresKeyList
from syncer.adapters.postgres.session import Session
from syncer.core.error import ConfigurationError
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from tests.adapters.postgres.conftest import ReadTable
from tests.adapters.postgres.waiting import wait_for

Connection = psycopg.Connection[Any]


@pytest.fixture(autouse=True)
def _item(admin: Connection) -> None:
    admin.execute("CREATE TABLE item (id bigint PRIMARY KEY, title text, updated_at timestamptz)")


def fill(admin: Connection, rows: int) -> None:
    admin.execute(
        "INSERT INTO item SELECT i, 't' || i, timestamptz '2026-01-01 00:00Z' + i * interval '1 h' "
        "FROM generate_series(1, %s) AS i",
        (rows,),
    )


def ones(*numbers: int) -> list[Key]:
    return [(str(number),) for number in numbers]


def test_read(admin: Connection, session: Session, read: ReadTable) -> None:
    """Keys come in the order of their type, above one bound and up to the other."""
    fill(admin, 12)
    feed = PostgresKeyFeed(session, read())
    assert feed.read(None, None, 3) == ones(1, 2, 3)
    assert feed.read(("8",), None, 3) == ones(9, 10, 11)
    assert feed.read(("8",), ("10",), 100) == ones(9, 10)
    assert feed.read(("12",), None, 3) == []


def test_divide(admin: Connection, session: Session, read: ReadTable) -> None:
    """Ranges adjoin, hold the rows they say, and the last one is open for keys to come."""
    feed = PostgresKeyFeed(session, read())
    assert list(feed.divide(10)) == [KeyRange(0, None, None, 0)]
    fill(admin, 25)
    ranges = list(feed.divide(10))
    assert ranges == [
        KeyRange(0, None, ("10",), 10),
        KeyRange(1, ("10",), ("20",), 10),
        KeyRange(2, ("20",), None, 5),
    ]
    assert [len(feed.read(part.after, part.through, 100)) for part in ranges] == [10, 10, 5]
    assert list(feed.divide(25)) == [KeyRange(0, None, ("25",), 25), KeyRange(1, ("25",), None, 0)]


def test_divide_reads_the_index_alone(admin: Connection, session: Session, read: ReadTable) -> None:
    """Planning a backfill fetches no row of a vacuumed table."""
    fill(admin, 50_000)
    admin.execute("VACUUM ANALYZE item")
    assert len(list(PostgresKeyFeed(session, read()).divide(1000))) == 51
    session.close()
    counted = "SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'item' AND idx_scan > 50"
    assert wait_for(lambda: admin.execute(counted).fetchone()) == (0,)


def test_composite_key(admin: Connection, session: Session, read: ReadTable) -> None:
    """A composite key is ordered part by part."""
    admin.execute("CREATE TABLE part (a integer, b text, updated_at timestamptz, PRIMARY KEY (a, b))")
    admin.execute("INSERT INTO part VALUES (10, 'x|y'), (9, 'z'), (9, 'a'), (10, '')")
    feed = PostgresKeyFeed(session, read("part"))
    assert feed.read(None, None, 9) == [("9", "a"), ("9", "z"), ("10", ""), ("10", "x|y")]
    assert feed.read(("9", "z"), ("10", ""), 9) == [("10", "")]


def test_where_and_since(admin: Connection, session: Session, read: ReadTable) -> None:
    """A condition and a time choose rows; the columns may be called with the table's name."""
    fill(admin, 10)
    table = read()
    where = "item.title LIKE 't_' AND id % 2 = 0 -- even"
    assert PostgresKeyFeed(session, table, where).read(None, None, 9) == ones(2, 4, 6, 8)
    since = datetime(2026, 1, 1, 6, tzinfo=UTC)
    assert PostgresKeyFeed(session, table, where, since).read(None, None, 9) == ones(6, 8)
    assert list(PostgresKeyFeed(session, table, since=since).divide(3)) == [
        KeyRange(0, None, ("8",), 3),
        KeyRange(1, ("8",), None, 2),
    ]


def test_since_on_a_wall_clock(admin: Connection, session: Session, read: ReadTable) -> None:
    """An instant is compared with a watermark without time zone as its writers' clock showed it."""
    admin.execute("CREATE TABLE local (id integer PRIMARY KEY, updated_at timestamp)")
    admin.execute("INSERT INTO local VALUES (1, '2026-05-04 13:59'), (2, '2026-05-04 14:00')")
    table = read("local", watermark_zone="Europe/Berlin")
    feed = PostgresKeyFeed(session, table, since=datetime(2026, 5, 4, 12, tzinfo=UTC))
    assert feed.read(None, None, 9) == ones(2)


@pytest.mark.parametrize(
    ("where", "reason"),
    [("nope = 1", 'column "nope" does not exist'), ("id =", "syntax error"), ("id", "must be type boolean")],
)
def test_wrong_where(where: str, reason: str, session: Session, read: ReadTable) -> None:
    """A condition that Postgres does not take is the user's mistake, in Postgres's words."""
    with pytest.raises(ConfigurationError, match=f"--where: .*{reason}"):
        PostgresKeyFeed(session, read(), where)


def test_listed_keys(admin: Connection, session: Session, read: ReadTable) -> None:
    """Listed ids become keys as Postgres writes them, once each, also those that are not in the table."""
    fill(admin, 10)
    keys = PostgresKeyList(session, read(), ["007", "7", " 99", "2"])
    assert keys.read(None, None, 9) == ones(2, 7, 99)
    assert keys.read(("2",), None, 1) == ones(7)
    assert keys.read(("99",), None, 1) == []
    assert PostgresKeyList(session, read(), []).read(None, None, 9) == []


def test_listed_key_as_its_row_writes_it(admin: Connection, session: Session, read: ReadTable) -> None:
    """An id that equals a row's key in another spelling means that row's document."""
    admin.execute("CREATE TABLE price (amount numeric PRIMARY KEY, updated_at timestamptz)")
    admin.execute("INSERT INTO price VALUES (1.50)")
    assert PostgresKeyList(session, read("price"), ["1.5", "2.0"]).read(None, None, 9) == [("1.50",), ("2.0",)]


def test_listed_composite_keys(admin: Connection, session: Session, read: ReadTable) -> None:
    """Ids of a composite key are taken apart as they were put together."""
    admin.execute("CREATE TABLE part (a integer, b text, updated_at timestamptz, PRIMARY KEY (a, b))")
    keys = PostgresKeyList(session, read("part"), ["2|x", r"01|x\|y\\"])
    assert keys.read(None, None, 9) == [("1", "x|y\\"), ("2", "x")]


@pytest.mark.parametrize("wrong", ["x7", "99999999999999999999", "", "1\0"])
def test_impossible_id(wrong: str, session: Session, read: ReadTable) -> None:
    """An id that cannot be a key is named, among many good ones."""
    ids = [str(number) for number in range(50)]
    with pytest.raises(ConfigurationError) as raised:
        PostgresKeyList(session, read(), [*ids[:33], wrong, *ids[33:]]).read(None, None, 1)
    assert f"--ids: {wrong!r} cannot be a key of public.item" in raised.value.message
    assert raised.value.hint == "its key is id bigint"


def test_id_of_too_few_parts(admin: Connection, session: Session, read: ReadTable) -> None:
    """An id with another number of parts than the key is named."""
    admin.execute("CREATE TABLE part (a integer, b text, updated_at timestamptz, PRIMARY KEY (a, b))")
    with pytest.raises(ConfigurationError, match=r"--ids: '1' cannot be a key of public\.part") as raised:
        PostgresKeyList(session, read("part"), ["1"]).read(None, None, 1)
    assert raised.value.hint == "its key is a integer, b text"
