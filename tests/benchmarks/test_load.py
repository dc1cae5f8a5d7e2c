"""First load, text only, beside a plain keyset loop over `streaming_bulk` and beside `parallel_bulk`."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from elasticsearch.helpers import parallel_bulk, streaming_bulk
from psycopg.rows import dict_row

from tests.acceptance.installation import Installation
from tests.benchmarks.measure import FIELDS, create_pages, fill_pages, first_load

pytestmark = pytest.mark.benchmark

#: 500,000 take some minutes, and half a gigabyte for the documents of `parallel_bulk`.
ROWS = int(os.environ.get("SYNCER_BENCH_LOAD_ROWS", "50000"))
THREADS = 4
PAIRS = 3


def test_first_load_beside_both_loops(installation: Installation, machine: str) -> None:
    """Three rounds after one that does not count; a ratio is syncer's rate over the other's of the same round."""
    create_pages(installation)
    fill_pages(installation, 1, ROWS)
    documents = _documents(installation)
    beside_plain, beside_bulk, beside_answered, peaks = [], [], [], []
    for turn in range(PAIRS + 1):
        plain = _plain_load(installation, f"{installation.alias}-plain-{turn}")
        answered, searchable = _bulk_load(installation, f"{installation.alias}-bulk-{turn}", documents)
        loaded = first_load(installation, ROWS)
        print(
            f"\n{f'round {turn}' if turn else 'warm-up'}: plain loop {ROWS / plain:,.0f} rows/s, parallel_bulk "
            f"{ROWS / searchable:,.0f} ({ROWS / answered:,.0f} to the last answer), "
            f"syncer {ROWS / loaded.seconds:,.0f}",
            end="",
        )
        if turn:
            beside_plain.append(plain / loaded.seconds)
            beside_bulk.append(searchable / loaded.seconds)
            beside_answered.append(answered / loaded.seconds)
            peaks.append(loaded.peak)
    print(f"\nfirst load, {ROWS:,} rows x 1 kB, all searchable, medians of {PAIRS}:")
    print(f"ratio to the plain loop {statistics.median(beside_plain):.2f}")
    print(
        f"ratio to parallel_bulk, {THREADS} threads: {statistics.median(beside_bulk):.2f}, "
        f"to the last of its answers {statistics.median(beside_answered):.2f}"
    )
    print(f"RSS peak of syncer {max(peaks):.0f} MiB")
    print(f"({machine})")


def test_memory_of_a_load_ten_times_as_large(installation: Installation, machine: str) -> None:
    """The peak of resident memory at 50,000 and at 500,000 rows."""
    create_pages(installation)
    fill_pages(installation, 1, 50_000)
    small = first_load(installation, 50_000).peak
    fill_pages(installation, 50_001, 500_000)
    large = first_load(installation, 500_000)
    print(f"\nRSS peak {small:.0f} MiB at 50,000 rows, {large.peak:.0f} MiB at 500,000, ratio {large.peak / small:.2f}")
    print(f"500,000 rows: {500_000 / large.seconds:,.0f} rows/s")
    print(f"({machine})")


def _documents(installation: Installation) -> Sequence[tuple[str, bytes]]:
    """Return all ids and documents, as they go over the wire; read in portions, not to hold them twice."""
    statement = "SELECT id::text, convert_to(row_to_json(page)::text, 'UTF8') FROM public.page ORDER BY id"
    with psycopg.connect(installation.source_url) as connection, connection.cursor("documents") as cursor:
        cursor.itersize = 1_000
        return list(cursor.execute(statement, binary=True))


def _plain_load(installation: Installation, index: str) -> float:
    """Return the seconds that the loop everybody writes first takes, until all of it can be searched."""
    _create(installation, index)

    def documents() -> Iterator[dict[str, Any]]:
        position = 0
        with psycopg.connect(installation.source_url, row_factory=dict_row, autocommit=True) as connection:
            while page := connection.execute(
                "SELECT id, title, body, updated_at FROM public.page WHERE id > %s ORDER BY id LIMIT 1000", (position,)
            ).fetchall():
                position = page[-1]["id"]
                for row in page:
                    yield {"_index": index, "_id": row["id"], "_source": row}

    started = time.monotonic()
    for _ in streaming_bulk(installation.client, documents(), chunk_size=1000):
        pass
    installation.client.options(request_timeout=120).indices.refresh(index=index)
    seconds = time.monotonic() - started
    installation.client.indices.delete(index=index)
    return seconds


def _bulk_load(installation: Installation, index: str, documents: Sequence[Any]) -> tuple[float, float]:
    """Return the seconds to the last answer, and until all can be searched."""
    _create(installation, index)

    def expand(document: Any) -> tuple[dict[str, Any], bytes]:
        return {"index": {"_id": document[0]}}, document[1]

    started = time.monotonic()
    loaded = parallel_bulk(
        installation.client, documents, THREADS, chunk_size=1000, index=index, expand_action_callback=expand
    )
    assert sum(done for done, _ in loaded) == len(documents)
    answered = time.monotonic() - started
    installation.client.options(request_timeout=120).indices.refresh(index=index)
    searchable = time.monotonic() - started
    installation.client.indices.delete(index=index)
    return answered, searchable


def _create(installation: Installation, index: str) -> None:
    mappings = {"dynamic": "strict", "properties": {name: {"type": kind} for name, kind in FIELDS.items()}}
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
    installation.client.indices.create(index=index, mappings=mappings, settings=settings)
