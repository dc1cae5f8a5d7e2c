"""From the commit of one row to its document: readable by GET, and found by a search; and what an idle daemon costs."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil
import psycopg
import pytest
import yaml

from tests.acceptance.installation import Installation, Running, eventually
from tests.services.postgres import PostgresServer, create_database, drop_database

pytestmark = pytest.mark.benchmark

#: Loaded before: the pipeline is quiet, and not empty.
ROWS = 10_000
CHANGES = 60
REFRESH_SECONDS = 1.0
IDLE_SECONDS = 60
#: Between two looks for a document.
LOOK_SECONDS = 0.002

FILL = "INSERT INTO public.item (id, title) SELECT i, 'title ' || i FROM generate_series(1, %s::bigint) i"
CHANGE = "INSERT INTO public.item (id, title) VALUES (%s, 'fresh')"

POLLS: list[dict[str, Any]] = [
    {"interval": "200ms"},
    {"interval": "1s"},
    {"interval": "1s", "wakeup": "notify"},
]


@dataclass
class _Latencies:
    """Seconds from commits."""

    readable: list[float] = field(default_factory=list)
    searchable: list[float] = field(default_factory=list)


@pytest.mark.parametrize("poll", POLLS, ids=lambda poll: " ".join(poll.values()))
def test_one_row_at_a_time(installation: Installation, machine: str, poll: dict[str, Any]) -> None:
    """60 rows, each committed at a random time after the one before it can be searched."""
    found = _Latencies()
    # The same moments each time.
    moments = random.Random(0)
    with _following(installation, poll), psycopg.connect(installation.source_url, autocommit=True) as connection:
        for change in range(CHANGES):
            time.sleep(moments.uniform(0.1, 1.1))
            _probe(installation, connection, ROWS + 1 + change, found)
    seconds = float(poll["interval"].removesuffix("ms")) / 1000 if "ms" in poll["interval"] else 1.0
    print(f"\npoll {poll['interval']}, wakeup {poll.get('wakeup', 'none')}: one row at a time, {CHANGES} times")
    print(f"commit to GET:        {_percentiles(found.readable)}; a poll is {seconds * 1000:.0f} ms")
    both = (seconds + REFRESH_SECONDS) * 1000
    print(f"commit to searchable: {_percentiles(found.searchable)}; poll and refresh are {both:.0f} ms")
    print(f"({machine})")


@pytest.mark.parametrize("poll", POLLS[1:], ids=lambda poll: " ".join(poll.values()))
def test_an_idle_daemon(
    installation: Installation, machine: str, postgres_server: PostgresServer, poll: dict[str, Any]
) -> None:
    """Processor time, and statements, of a daemon whose table nobody changes; its state in another database."""
    state_url = create_database(postgres_server)
    try:
        with _following(installation, poll, state_url) as daemon:
            process = psutil.Process(daemon.process.pid)
            before, statements = (
                _processor_seconds(process),
                _statements(postgres_server, installation.source_url, state_url),
            )
            time.sleep(IDLE_SECONDS)
            used = _processor_seconds(process) - before
            after = _statements(postgres_server, installation.source_url, state_url)
            memory = process.memory_info().rss / 2**20
        of_source, of_state = (last - first for first, last in zip(statements, after, strict=True))
        print(f"\npoll {poll['interval']}, wakeup {poll.get('wakeup', 'none')}: idle for {IDLE_SECONDS} s")
        print(f"processor: {100 * used / IDLE_SECONDS:.2f} % of a core; memory {memory:.0f} MiB")
        print(f"statements a poll: source {of_source / IDLE_SECONDS:.2f}, state {of_state / IDLE_SECONDS:.2f}")
        print(f"({machine})")
    finally:
        drop_database(postgres_server, state_url)


@contextmanager
def _following(installation: Installation, poll: dict[str, Any], state_url: str | None = None) -> Iterator[Running]:
    """Run a daemon whose first load and first polls are over."""
    installation.sql(FILL, ROWS)
    installation.configure(poll=poll, index={"replicas": 0})
    if state_url:
        path = installation.directory / "syncer.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "state": {"url": state_url}}))
        installation.succeed("migrate")
    installation.succeed("install-triggers", installation.alias)
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        eventually(lambda: len(installation.indexed()) == ROWS, "all is loaded")
        time.sleep(5)
        yield daemon


def _probe(installation: Installation, connection: psycopg.Connection[Any], id_: int, found: _Latencies) -> None:
    connection.execute(CHANGE, (id_,))
    committed = time.monotonic()
    while not installation.client.exists(index=installation.alias, id=str(id_)):
        assert time.monotonic() - committed < 60
        time.sleep(LOOK_SECONDS)
    found.readable.append(time.monotonic() - committed)
    while not installation.client.count(index=installation.alias, query={"term": {"id": id_}})["count"]:
        assert time.monotonic() - committed < 60
        time.sleep(LOOK_SECONDS)
    found.searchable.append(time.monotonic() - committed)


def _percentiles(seconds: list[float]) -> str:
    ranked = statistics.quantiles(seconds, n=100, method="inclusive")
    return f"p50 {ranked[49] * 1000:,.0f} ms, p99 {ranked[98] * 1000:,.0f} ms"


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _statements(server: PostgresServer, *urls: str) -> tuple[int, ...]:
    """Return how many transactions there were in each database: sessions of syncer commit each statement."""
    names = [url.rsplit("/", 1)[1] for url in urls]
    with psycopg.connect(server.url(), autocommit=True) as connection:
        rows = connection.execute("SELECT datname, xact_commit FROM pg_stat_database").fetchall()
    counts: dict[str, int] = dict(rows)
    return tuple(counts[name] for name in names)
