"""A table in Postgres, an index in memory, and the pipeline between them, polled step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg

from syncer.adapters.clock import SystemClock
from syncer.adapters.postgres.catalog import read_table
from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.feed import PostgresChangeFeed
from syncer.adapters.postgres.glance import PostgresGlance
from syncer.adapters.postgres.keys import PostgresKeyFeed
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.adapters.postgres.source import PostgresSource
from syncer.core.declaration import resolve_fields
from syncer.core.error import SourceUnavailable
from syncer.engine.pipeline import Limits, Reader
from syncer.engine.poll import PollLimits
from syncer.engine.polled import Polled
from tests.builders import World, a_world

#: Short, so that no test waits long for the horizon to pass what was stamped.
MARGIN = timedelta(milliseconds=200)

ITEM = "CREATE TABLE item (id integer PRIMARY KEY, title text, updated_at timestamptz NOT NULL DEFAULT now())"

Poll = Callable[[], Polled]


class Following:
    """Follows the table `item` of a database, with nothing but the server between the test and the protocol."""

    def __init__(
        self,
        url: str,
        *,
        table: str = ITEM,
        watermark_zone: str | None = None,
        batch_rows: int = 10,
        margin: timedelta = MARGIN,
        rewind: timedelta = timedelta(minutes=15),
    ) -> None:
        self.url = url
        self._watermark_zone = watermark_zone
        self._margin = margin
        self.sql(table)
        limits = PollLimits(batch_rows=batch_rows, margin=margin)
        self.world: World = a_world(
            clock=SystemClock(), limits=Limits(poll=limits, interval_seconds=0.02, rewind=rewind, range_rows=100)
        )
        memory = self.world.pipeline.reader
        self.world.pipeline = replace(self.world.pipeline, reader=lambda: self._reader(memory()))

    def polling(self) -> AbstractContextManager[Poll]:
        """Hold the lease and a connection; each call polls once."""
        return self.world.following()

    def poll_past(self, poll: Poll) -> None:
        """Poll until a poll has begun whose clock, less the margin, is later than now."""
        now = self.now()
        while True:
            past = self.now() - self._margin > now
            poll()
            if past:
                return

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in a transaction of its own."""
        with self.connect() as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[Any]]:
        """Lend a session in autocommit."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            yield connection

    def now(self) -> datetime:
        """Return the server's clock."""
        [(now,)] = self.sql("SELECT clock_timestamp()")
        assert isinstance(now, datetime)
        return now

    def titles(self) -> dict[str, str]:
        """Return what the index holds."""
        return {key[0]: document["title"] for key, document in self.world.index.documents().items()}

    def assert_equal(self) -> None:
        """Compare every row with the index."""
        rows = {str(key): title for key, title in self.sql("SELECT id, title FROM item")}
        assert self.titles() == rows

    def _reader(self, memory: Reader) -> Reader:
        session = Session(self.url, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)
        table = read_table(
            session,
            "item",
            key=(),
            watermark="updated_at",
            watermark_zone=self._watermark_zone,
            soft_delete=None,
            where=None,
            routing=None,
            setting="pipelines.items",
        )
        feeds = [PostgresChangeFeed(session, table)]
        return replace(
            memory,
            source=PostgresSource(session),
            feeds=feeds,
            glance=PostgresGlance(session, feeds),
            keys=PostgresKeyFeed(session, table),
            documents=PostgresDocuments(session, table, resolve_fields(table, None, setting="fields"), ()),
            close=session.close,
        )
