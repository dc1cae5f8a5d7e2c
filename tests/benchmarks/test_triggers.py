"""What the triggers cost those who write to the table: the same writes without and with them, in turn."""

from __future__ import annotations

import platform
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from syncer.adapters.postgres.catalog import read_table
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.adapters.postgres.wakeup_triggers import CHANNEL
from syncer.core.error import SourceUnavailable
from tests.adapters.postgres.noting import install, install_all
from tests.services.postgres import OwnPostgres, bin_dir

pytestmark = pytest.mark.benchmark

SCHEMA = """
CREATE TABLE {0} (
    id bigint PRIMARY KEY, tenant integer NOT NULL, body text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON {0} (updated_at, id);
"""
#: The same table twice; triggers are on the second one.
TABLES = ("plain", "item")
BODY = "x" * 500
#: Short turns, one table after the other, so that what else the machine does falls on both alike.
TURNS = 100
BULK_TURNS = 21
BULK_ROWS = 20_000
WRITER_TURNS = 15

Connection = psycopg.Connection[Any]


@pytest.fixture(name="server", params=["on", "off"])
def _server(request: pytest.FixtureRequest) -> Iterator[tuple[OwnPostgres, str]]:
    """A server of its own, with fsync on or off."""
    server = OwnPostgres(bin_dir(), {"fsync": request.param, "max_wal_size": "8GB", "autovacuum": "off"})
    server.start()
    yield server, request.param
    server.delete()


def test_writes_without_and_with_triggers(server: tuple[OwnPostgres, str]) -> None:
    """Rows written one at a time, each in a transaction of its own, and many in one statement."""
    postgres, fsync = server
    rows = 30 if fsync == "on" else 150
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        for table in TABLES:
            connection.execute(SCHEMA.format(table).encode())
        _install(postgres.url())
        print(f"\nfsync {fsync}, rows of 0.5 kB; rows/s, medians of {TURNS} turns of {rows} transactions of one row")
        # All rows of the turns before are there: no turn works on an empty table.
        for kind, write in {"insert": _insert, "update": _update, "delete": _delete}.items():
            _compare(kind, rows, TURNS, partial(_turn, connection, write, rows))
        print(f"medians of {BULK_TURNS} turns of one statement on {BULK_ROWS:,} rows")
        for kind, statement in BULK.items():
            _compare(kind, BULK_ROWS, BULK_TURNS, partial(_bulk, connection, statement))
        _print_machine(connection)


def test_writers_without_and_with_wakeups(server: tuple[OwnPostgres, str], tmp_path: Path) -> None:
    """Rows inserted one at a time, each in a transaction of its own, by one writer and by four at once.

    Both tables have the triggers that note what is deleted; those of the second one tell of each commit besides, and
    somebody listens.
    """
    postgres, fsync = server
    rows = 400 if fsync == "on" else 4000
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        for table in TABLES:
            connection.execute(SCHEMA.format(table).encode())
            connection.execute(f"CREATE SEQUENCE {table}_id CACHE 100".encode())
            _install(postgres.url(), table, wakes=table == TABLES[1])
            insert = f"INSERT INTO {table} VALUES (nextval('{table}_id'), 1, '{BODY}');"
            (tmp_path / table).write_text(insert)
        print(f"\nfsync {fsync}, rows of 0.5 kB; rows/s, medians of {WRITER_TURNS} turns of {rows} rows")
        with _listening(postgres.url()):
            for writers in (1, 4):
                work = partial(_pgbench, postgres, tmp_path, writers, rows)
                _compare(f"{writers} writers", rows, WRITER_TURNS, work)
        _print_machine(connection)


def _print_machine(connection: Connection) -> None:
    memory = psutil.virtual_memory().total / 2**30
    version = connection.info.server_version // 10_000
    print(f"({psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, PostgreSQL {version})")


BULK = {
    "bulk insert": "INSERT INTO {0} SELECT i, 1, '{1}' FROM generate_series({2} + 1, {2} + {3}) AS i",
    "bulk update": "UPDATE {0} SET updated_at = clock_timestamp() WHERE id > {2} AND id <= {2} + {3}",
    "bulk delete": "DELETE FROM {0} WHERE id > {2} AND id <= {2} + {3}",
}


def _install(url: str, name: str = "item", *, wakes: bool = False) -> None:
    session = Session(url, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)
    table = read_table(
        session,
        name,
        key=(),
        watermark="updated_at",
        watermark_zone=None,
        soft_delete=None,
        where=None,
        routing=None,
        setting="pipelines.items",
    )
    install_all(session, table) if wakes else install(session, table)
    session.close()


def _compare(kind: str, rows: int, turns: int, work: Callable[[str, int], object]) -> None:
    """Time each turn on both tables, first on the one and then on the other, and print what came of it."""
    seconds: dict[str, list[float]] = {table: [] for table in TABLES}
    for turn in range(turns):
        for table in TABLES if turn % 2 else reversed(TABLES):
            started = time.monotonic()
            work(table, turn)
            seconds[table].append(time.monotonic() - started)
    plain, noted = (statistics.median(rows / each for each in seconds[table]) for table in TABLES)
    # Of each turn its own ratio: what else the machine does changes from turn to turn.
    ratio = statistics.median(before / after for before, after in zip(*seconds.values(), strict=True))
    print(f"{kind:12} without {plain:9,.0f}   with {noted:9,.0f}   ratio {ratio:.2f}")


def _turn(
    connection: Connection, write: Callable[[Connection, str, int], object], rows: int, table: str, turn: int
) -> None:
    for id_ in range(turn * rows, turn * rows + rows):
        write(connection, table, id_)


def _insert(connection: Connection, table: str, id_: int) -> None:
    connection.execute(f"INSERT INTO {table} VALUES (%s, 1, %s)".encode(), (id_, BODY), prepare=True)


def _update(connection: Connection, table: str, id_: int) -> None:
    connection.execute(f"UPDATE {table} SET updated_at = now() WHERE id = %s".encode(), (id_,), prepare=True)


def _delete(connection: Connection, table: str, id_: int) -> None:
    connection.execute(f"DELETE FROM {table} WHERE id = %s".encode(), (id_,), prepare=True)


def _bulk(connection: Connection, statement: str, table: str, turn: int) -> None:
    connection.execute(statement.format(table, BODY, turn * BULK_ROWS, BULK_ROWS).encode())


def _pgbench(postgres: OwnPostgres, scripts: Path, writers: int, rows: int, table: str, _turn: int) -> None:
    each = ["-c", str(writers), "-j", str(min(writers, 2)), "-t", str(rows // writers)]
    command = [str(postgres.bin_dir / "pgbench"), "-n", "-M", "prepared", *each, "-f", str(scripts / table)]
    subprocess.run([*command, postgres.url()], check=True, capture_output=True)


@contextmanager
def _listening(url: str) -> Iterator[None]:
    """Hear what is told, as a daemon does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"LISTEN {CHANNEL}".encode())
        ended = threading.Event()

        def hear() -> None:
            while not ended.is_set():
                for _ in connection.notifies(timeout=0.2):
                    pass

        thread = threading.Thread(target=hear)
        thread.start()
        yield
        ended.set()
        thread.join()
