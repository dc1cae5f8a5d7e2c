"""Who follows a table is woken by commits that change it, and again after the connection was lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from syncer.adapters.clock import SystemClock
from syncer.adapters.postgres.listener import Listener
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.adapters.postgres.wakeup_triggers import CHANNEL
from syncer.core.error import SourceUnavailable, SyncerError
from syncer.ports import Alarm
from tests.adapters.postgres.waiting import wait_for
from tests.services.postgres import OwnPostgres, bin_dir
from tests.services.proxy import Proxy

ITEM, OTHER = "public.item", "public.other"
Connection = psycopg.Connection[Any]


@dataclass
class Listening:
    """A listener, and what it has told."""

    url: str
    silent_seconds: float = 600.0
    clock: SystemClock = field(default_factory=SystemClock)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        session = Session(
            self.url,
            setting="source.url",
            settings=SOURCE_SETTINGS,
            unavailable=SourceUnavailable,
            application_name="syncer wakeups",
        )
        self.listener = Listener(
            session,
            self.clock,
            lost=self._lost,
            back=lambda: self.told.append("back"),
            silent_seconds=self.silent_seconds,
        )

    def alarm(self, *tables: str) -> Alarm:
        alarm = self.clock.alarm()
        self.listener.begin(alarm, tables)
        return alarm

    def _lost(self, error: SyncerError) -> None:
        self.told.append(f"lost: {error.message}")


@pytest.fixture(name="listening")
def _listening(postgres_url: str) -> Iterator[Listening]:
    listening = Listening(postgres_url)
    yield listening
    listening.clock.stop()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "wakeups"]


def tell(admin: Connection, table: str) -> None:
    admin.execute(f"NOTIFY {CHANNEL}, '{table}'".encode())


def sessions(admin: Connection) -> list[int]:
    found = admin.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'syncer wakeups'"
    )
    return [row[0] for row in found]


def test_who_follows_the_table_is_woken(listening: Listening, admin: Connection) -> None:
    """And nobody else; everybody is when it begins to listen, for nobody knows what was before."""
    item, other = listening.alarm(ITEM, "public.author"), listening.alarm(OTHER)
    assert item.wait(30)
    assert other.wait(30)
    before = listening.clock.monotonic()
    tell(admin, ITEM)
    assert item.wait(30)
    assert before < item.rung_at < listening.clock.monotonic()
    assert other.rung_at < before
    tell(admin, OTHER)
    assert other.wait(30)
    assert not item.wait(0)


def test_all_are_woken_with_one_time(listening: Listening, admin: Connection) -> None:
    """Else the first one's observation would be too old for the others."""
    one, other = listening.alarm(ITEM), listening.alarm(ITEM)
    assert one.wait(30)
    tell(admin, ITEM)
    assert one.wait(30)
    assert other.wait(30)
    wait_for(lambda: one.rung_at == other.rung_at)


def test_a_lost_connection_is_made_again(listening: Listening, admin: Connection) -> None:
    """Everybody is woken then; its loss is told once, and its return."""
    alarm = listening.alarm(ITEM)
    assert alarm.wait(30)
    [pid] = wait_for(lambda: sessions(admin))
    admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
    assert alarm.wait(30)
    tell(admin, ITEM)
    assert alarm.wait(30)
    wait_for(lambda: len(listening.told) == 2)
    assert listening.told[0].startswith("lost: source.url: ")
    assert listening.told[1] == "back"


def test_a_server_that_is_gone_behind_a_proxy_is_not_waited_for(postgres_url: str, admin: Connection) -> None:
    """Which keeps the connection: nobody tells. A silent one is made anew, and everybody is woken."""
    parts = urlsplit(postgres_url)
    proxy = Proxy(parts.hostname or "", parts.port or 0)
    listening = Listening(proxy.url(postgres_url), silent_seconds=1)
    try:
        alarm = listening.alarm(ITEM)
        assert alarm.wait(30)
        [pid] = wait_for(lambda: sessions(admin))
        proxy.strand()
        admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
        assert alarm.wait(30)
        wait_for(lambda: sessions(admin))
        tell(admin, ITEM)
        assert alarm.wait(30)
        assert listening.told == []
    finally:
        listening.clock.stop()
        proxy.stop()


def test_it_listens_only_while_somebody_is_to_be_woken(listening: Listening, admin: Connection) -> None:
    """And again when somebody is; who has left is woken no more."""
    gone = listening.alarm(ITEM)
    assert gone.wait(30)
    listening.listener.end(gone)
    listening.listener.end(gone)
    wait_for(lambda: not threads() and not sessions(admin))
    assert listening.alarm(ITEM).wait(30)
    assert not gone.wait(0)
    assert listening.told == []


def test_a_server_that_is_away_is_waited_for() -> None:
    """Told once, however often it is asked; the end of the process need not wait."""
    server = OwnPostgres(bin_dir())
    server.start()
    try:
        server.stop()
        listening = Listening(server.url())
        alarm = listening.alarm(ITEM)
        wait_for(lambda: listening.told)
        server.start()
        assert alarm.wait(30)
        wait_for(lambda: len(listening.told) == 2)
        assert listening.told[1] == "back"
        listening.clock.stop()
        wait_for(lambda: not threads())
    finally:
        server.delete()
