"""What a process and its state take, second by second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

import psutil
import psycopg
from psycopg import sql

from tests.acceptance.installation import Running

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Taken:
    """What is taken at one moment, or may be at most."""

    memory_mib: float
    files: float
    threads: float
    #: Of the process, to Postgres.
    connections: float
    #: In all tables of the state schema but those of vectors and of tombstones, which are kept for a day.
    state_rows: float
    #: Bytes of log since the moment before.
    log_bytes: float

    def __str__(self) -> str:
        return ", ".join(f"{field.name} {getattr(self, field.name):.0f}" for field in fields(self))


#: How much more the last third of a soak may take than the one before: a share, and what one measurement differs from
#: the next by.
GROWTH = 1.1
NOISE = Taken(memory_mib=12, files=10, threads=8, connections=4, state_rows=60, log_bytes=4000)


def most(samples: Sequence[Taken]) -> Taken:
    """Return the greatest of each; of the log's bytes the mean, for what was done is logged when it is done."""
    greatest = {field.name: max(getattr(sample, field.name) for sample in samples) for field in fields(Taken)}
    return Taken(**{**greatest, "log_bytes": sum(sample.log_bytes for sample in samples) / len(samples)})


def growth(samples: Sequence[Taken]) -> dict[str, tuple[float, float]]:
    """Return what the last third takes more of than the middle one, by name, with both figures."""
    third = len(samples) // 3
    before, after = most(samples[third : 2 * third]), most(samples[2 * third :])
    found = {field.name: (getattr(before, field.name), getattr(after, field.name)) for field in fields(Taken)}
    return {name: figures for name, figures in found.items() if figures[1] > figures[0] * GROWTH + getattr(NOISE, name)}


@contextmanager
def sampled(process: Running, url: str, seconds: float) -> Iterator[list[Taken]]:
    """Look every so many seconds while the block runs; lends what was seen."""
    samples: list[Taken] = []
    ended = threading.Event()
    failures: list[BaseException] = []

    def look() -> None:
        measured = psutil.Process(process.process.pid)
        logged = process.log.stat().st_size
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                count = _state_count(connection)
                while not ended.wait(seconds):
                    size = process.log.stat().st_size
                    samples.append(
                        Taken(
                            measured.memory_info().rss / _MIB,
                            measured.num_fds(),
                            measured.num_threads(),
                            _one(connection, _CONNECTIONS),
                            count(),
                            (size - logged) / seconds,
                        )
                    )
                    logged = size
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=look, name="sampler")
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()
    if failures:
        raise failures[0]


_CONNECTIONS = sql.SQL("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'syncer%'")


def _state_count(connection: psycopg.Connection) -> Callable[[], float]:
    tables = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'syncer' AND tablename NOT IN ('embeddings', 'tombstones')"
    ).fetchall()
    counts = [sql.SQL("(SELECT count(*) FROM {})").format(sql.Identifier("syncer", name)) for (name,) in sorted(tables)]
    query = sql.SQL("SELECT {}").format(sql.SQL(" + ").join(counts))
    return lambda: _one(connection, query)


def _one(connection: psycopg.Connection, query: sql.SQL | sql.Composed) -> float:
    found = connection.execute(query).fetchone()
    assert found is not None
    return float(found[0])
