"""Tombstones: what triggers note of a table, as a feed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import psycopg
import pytest

from syncer.adapters.memory.clock import MemoryClock
from syncer.adapters.memory.source import MemoryTombstones
from syncer.adapters.memory.table import MemoryTable
from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.catalog import read_table
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.adapters.postgres.tombstones import PostgresTombstones
from syncer.adapters.postgres.trigger_facts import trigger_facts
from syncer.adapters.postgres.triggers import TombstoneTriggers
from syncer.core.change import WHOLE_TABLE, Change
from syncer.core.error import SourceUnavailable
from syncer.core.key import Key
from syncer.core.position import START, Position

LATER = datetime(2999, 1, 1, tzinfo=UTC)


class Noting(Protocol):
    """A table with rows a to e, all of tenant x; `tombstones` reads what its triggers note."""

    @property
    def tombstones(self) -> MemoryTombstones | PostgresTombstones: ...

    def install(self) -> None: ...

    def delete(self, key: str) -> None: ...

    def rename(self, key: str, new_key: str) -> None: ...

    def route(self, key: str, tenant: str | None) -> None: ...

    def truncate(self) -> None: ...


ROWS = "abcde"


class MemoryNoting:
    def __init__(self) -> None:
        self._clock = MemoryClock()
        self._table = MemoryTable(self._clock)
        self._table.routing = "tenant"
        for row in ROWS:
            self._table.put((row,), tenant="x")
        self.tombstones = MemoryTombstones(self._table)

    def install(self) -> None:
        self._table.install_triggers()

    def delete(self, key: str) -> None:
        self._clock.advance(1)
        self._table.delete((key,))

    def rename(self, key: str, new_key: str) -> None:
        self._clock.advance(1)
        self._table.rename((key,), (new_key,))

    def route(self, key: str, tenant: str | None) -> None:
        self._clock.advance(1)
        self._table.put((key,), tenant=tenant)

    def truncate(self) -> None:
        self._clock.advance(1)
        self._table.truncate()


class PostgresNoting:
    def __init__(self, url: str) -> None:
        self._admin: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        self._admin.execute(
            "CREATE TABLE item (id text PRIMARY KEY, tenant text, updated_at timestamptz DEFAULT now());"
            "INSERT INTO item SELECT unnest('{a, b, c, d, e}'::text[]), 'x'"
        )
        self._session = Session(url, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)
        self._table = read_table(
            self._session,
            "item",
            key=(),
            watermark="updated_at",
            watermark_zone=None,
            soft_delete=None,
            where=None,
            routing="tenant",
            setting="pipelines.items",
        )
        self.tombstones = PostgresTombstones(self._session, self._table, "syncer")

    def install(self) -> None:
        around = trigger_facts(self._session, self._table, "syncer", holds_state=False).around
        script = TombstoneTriggers(self._table, "syncer").install(around)
        script.run(self._session, AdvisoryLock.on("syncer"), denied="")

    def delete(self, key: str) -> None:
        self._admin.execute("DELETE FROM item WHERE id = %s", (key,))

    def rename(self, key: str, new_key: str) -> None:
        self._admin.execute("UPDATE item SET id = %s WHERE id = %s", (new_key, key))

    def route(self, key: str, tenant: str | None) -> None:
        self._admin.execute("UPDATE item SET tenant = %s WHERE id = %s", (tenant, key))

    def truncate(self) -> None:
        self._admin.execute("TRUNCATE item")

    def close(self) -> None:
        self._session.close()
        self._admin.close()


@pytest.fixture(name="postgres_noting")
def _postgres_noting(postgres_url: str) -> Iterator[PostgresNoting]:
    noting = PostgresNoting(postgres_url)
    yield noting
    noting.close()


@pytest.fixture(name="plain", params=["memory", "postgres"])
def _plain(request: pytest.FixtureRequest) -> Noting:
    """Without triggers."""
    if request.param == "memory":
        return MemoryNoting()
    noting: PostgresNoting = request.getfixturevalue("postgres_noting")
    return noting


@pytest.fixture(name="noting")
def _noting(plain: Noting) -> Noting:
    plain.install()
    assert plain.tombstones.prune(LATER, 2) == 1
    return plain


def read_all(noting: Noting, rows: int = 100, start: Position = START) -> list[Change]:
    found: list[Change] = []
    position: Position | None = start
    while position is not None:
        page = noting.tombstones.read(position, LATER, rows)
        assert len(page.changes) <= rows
        found += page.changes
        position = page.next
    return found


def keys(changes: list[Change]) -> list[Key]:
    return [change.key for change in changes]


def test_without_triggers_there_is_nothing(plain: Noting) -> None:
    """Neither to read nor to prune; from the moment they are installed there is, and a word on what went before."""
    plain.delete("a")
    assert read_all(plain) == []
    assert plain.tombstones.prune(LATER, 10) == 0
    plain.install()
    plain.delete("b")
    assert [(change.key, change.truncated) for change in read_all(plain)] == [(WHOLE_TABLE, False), (("b",), False)]


def test_what_is_noted(noting: Noting) -> None:
    """A deleted row, both keys of a renamed one, the old place of one that is routed anew, and a truncated table."""
    noting.delete("a")
    noting.rename("b", "z")
    noting.route("c", "y")
    noting.route("c", "y")
    noting.route("c", None)
    noting.delete("c")
    noting.delete("nobody")
    noting.truncate()
    found = read_all(noting)
    assert [change.truncated for change in found] == [*[False] * 8, True]
    assert [(change.key, change.routing) for change in found] == [
        (("a",), "x"),
        (("b",), "x"),
        (("z",), None),
        (("c",), "x"),
        (("c",), None),
        (("c",), "y"),
        (("c",), None),
        (("c",), ""),
        (WHOLE_TABLE, None),
    ]


def test_order_and_pages(noting: Noting) -> None:
    """As they were noted, in pages that go on where the one before ended; each with a name of its own."""
    for row in ROWS:
        noting.delete(row)
    changes = read_all(noting)
    assert keys(changes) == [(row,) for row in ROWS]
    assert [change.watermark for change in changes] == sorted(change.watermark for change in changes)
    assert all(change.watermark.tzinfo is UTC for change in changes)
    assert len({change.row for change in changes}) == len(ROWS)
    for rows in (1, 2, 5):
        assert read_all(noting, rows) == changes


def test_start_and_until(noting: Noting) -> None:
    """A start without key includes its watermark, one with a key what follows it there; `until` is included."""
    for row in ROWS:
        noting.delete(row)
    _, second, _, fourth, _ = read_all(noting)
    assert keys(read_all(noting, start=Position(second.watermark)))[0] == ("b",)
    assert keys(read_all(noting, start=Position(second.watermark, second.row)))[0] == ("c",)
    page = noting.tombstones.read(Position(second.watermark), fourth.watermark, 10)
    assert [change.key for change in page.changes] == [("b",), ("c",), ("d",)]


def test_pruning(noting: Noting) -> None:
    """The oldest first, so many at a time, none that was stamped at the limit or later."""
    for row in ROWS:
        noting.delete(row)
    fourth = read_all(noting)[3]
    assert noting.tombstones.prune(fourth.watermark, 2) == 2
    assert keys(read_all(noting)) == [("c",), ("d",), ("e",)]
    assert noting.tombstones.prune(fourth.watermark, 2) == 1
    assert noting.tombstones.prune(fourth.watermark, 2) == 0
    assert keys(read_all(noting)) == [("d",), ("e",)]
    assert noting.tombstones.prune(fourth.watermark + timedelta(microseconds=1), 2) == 1


def test_the_name_is_the_checkpoint_s(noting: Noting) -> None:
    """It tells schema and table, and the stamps have a zone."""
    assert noting.tombstones.name == "syncer.tombstones of public.item"
    assert noting.tombstones.watermark_zone is None
