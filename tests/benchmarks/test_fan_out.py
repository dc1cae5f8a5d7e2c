"""A change of a row that is part of 100,000 documents, and how fresh single changes stay meanwhile."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

import psutil
import pytest

from tests.acceptance.installation import Installation, Running, eventually

pytestmark = pytest.mark.benchmark

#: All of author 1.
FANNED_OUT = 100_000
#: Ten of each other author.
OTHERS = 10_000
POLL_SECONDS = 1
REFRESH_SECONDS = 1

SCHEMA = """
CREATE TABLE public.author (
    id bigint PRIMARY KEY, name text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE public.article (
    id bigint PRIMARY KEY, author_id bigint NOT NULL, title text NOT NULL, body text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON public.author (updated_at, id);
CREATE INDEX ON public.article (updated_at, id);
CREATE INDEX ON public.article (author_id, id);
"""
AUTHORS = "INSERT INTO public.author SELECT i, 'author ' || i FROM generate_series(1, 1 + %s::bigint / 10) i"
ARTICLES = """
INSERT INTO public.article
SELECT i, CASE WHEN i <= %s THEN 1 ELSE 2 + i %% (%s / 10) END, 'page ' || i, (
    SELECT string_agg(md5((i * 31 + j)::text), ' ') FROM generate_series(1, 29) j
) FROM generate_series(1, %s::bigint) i
"""


def test_single_changes_beside_a_fan_out(installation: Installation, machine: str) -> None:
    """An author of 100,000 articles gets another name; then articles of others and other authors change one by one.

    Each single change is timed until it can be searched; the memory of the daemon is watched all the while.
    """
    _fill(installation)
    with installation.running("run") as daemon:
        eventually(lambda: _count(installation, {"author.name": "author 1"}) == FANNED_OUT, "all is loaded", 600)
        with _probing(installation, daemon) as idle:
            for _ in range(10):
                idle.change()
        with _probing(installation, daemon) as busy:
            started = time.monotonic()
            installation.sql("UPDATE public.author SET name = 'another name', updated_at = now() WHERE id = 1")
            while _count(installation, {"author.name": "another name"}) < FANNED_OUT:
                assert time.monotonic() - started < 600
                busy.change()
            seconds = time.monotonic() - started
    print(f"\nfan-out: {FANNED_OUT:,} documents in {seconds:.1f} s, {FANNED_OUT / seconds:,.0f} documents/s")
    print(f"single changes before:    {idle}")
    print(f"single changes meanwhile: {busy}; poll + refresh + 1 s is {POLL_SECONDS + REFRESH_SECONDS + 1} s")
    print(f"({machine})")


@dataclass
class _Probe:
    """Changes single rows, and keeps how long each took until it could be searched."""

    installation: Installation
    daemon: psutil.Process
    #: Of an article, and of the ten articles of an author.
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"article": [], "author": []})
    peak: int = 0

    def __post_init__(self) -> None:
        self._tables = cycle([("article", "title", "title", 1), ("author", "name", "author.name", 10)])

    def change(self) -> None:
        """Change one row and wait for it; an article and an author in turn."""
        table, column, path, documents = next(self._tables)
        done = sum(map(len, self.seconds.values()))
        id_ = FANNED_OUT + 1 + done if table == "article" else 2 + done
        value = f"changed {time.monotonic_ns()}"
        self.installation.sql(f"UPDATE public.{table} SET {column} = %s, updated_at = now() WHERE id = %s", value, id_)
        started = time.monotonic()

        def found() -> bool:
            self.peak = max(self.peak, self.daemon.memory_info().rss)
            return _count(self.installation, {path: value}) == documents

        eventually(found, f"{table} {id_} can be searched")
        self.seconds[table].append(time.monotonic() - started)

    def __str__(self) -> str:
        latencies = ", ".join(
            f"{table} median {statistics.median(each):.2f} s, longest {max(each):.2f} s of {len(each)}"
            for table, each in self.seconds.items()
            if each
        )
        return f"{latencies}, RSS peak {self.peak / 2**20:.0f} MiB"


@contextmanager
def _probing(installation: Installation, daemon: Running) -> Iterator[_Probe]:
    probe = _Probe(installation, psutil.Process(daemon.process.pid))
    yield probe
    assert daemon.process.poll() is None, daemon.log.read_text()[-2000:]


def _fill(installation: Installation) -> None:
    installation.sql(SCHEMA)
    installation.sql(AUTHORS, OTHERS)
    installation.sql(ARTICLES, FANNED_OUT, OTHERS, FANNED_OUT + OTHERS)
    installation.sql("VACUUM ANALYZE public.author, public.article")
    installation.configure(
        "public.article",
        fields={
            "id": "long",
            "title": "keyword",
            "body": "text",
            "author": {"relation": "author"},
            "author.name": "keyword",
        },
        relations={"author": {"table": "public.author", "on": {"author_id": "id"}, "columns": ["name"]}},
        poll={"interval": f"{POLL_SECONDS}s"},
        index={"replicas": 0, "refresh_interval": f"{REFRESH_SECONDS}s"},
    )


def _count(installation: Installation, term: dict[str, str]) -> int:
    """Return how many documents a search finds, as the index is refreshed by itself; 0 as long as there is none."""
    client = installation.client.options(ignore_status=404)
    return int(client.count(index=installation.alias, query={"term": term}).get("count", 0))
