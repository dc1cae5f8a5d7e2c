"""Comparing a million rows, beside what merely reading both sides takes."""

from __future__ import annotations

import time

import psycopg
import pytest
from elasticsearch.helpers import scan

from tests.acceptance.installation import Installation
from tests.benchmarks.measure import Measured, create_pages, fill_pages, measured

pytestmark = pytest.mark.benchmark

ROWS = 1_000_000
RUNS = 3


def test_verify_of_a_million_rows(installation: Installation, machine: str) -> None:
    """Seconds, rows a second, the processor time of syncer's own process, and the peak of its memory."""
    create_pages(installation)
    fill_pages(installation, 1, ROWS)
    with installation.running("run", "--once") as loading:
        assert loading.process.wait() == 0
    print(f"\nreading alone: Postgres {_read_postgres(installation):.1f} s, Elasticsearch {_scan(installation):.1f} s")
    for _ in range(RUNS):
        verified = _verify(installation)
        print(
            f"verify, {ROWS:,} rows x 1 kB: {verified.seconds:.1f} s, {ROWS / verified.seconds:,.0f} rows/s, "
            f"processor {verified.processor_seconds:.1f} s, RSS peak {verified.peak:.0f} MiB"
        )
    print(f"({machine})")


def _read_postgres(installation: Installation) -> float:
    """Return the seconds of the plainest SELECT of key and hash."""
    started = time.monotonic()
    statement = 'SELECT id::text, md5(row_to_json(page)::text) FROM public.page ORDER BY id::text COLLATE "C"'
    with psycopg.connect(installation.source_url) as connection, connection.cursor("plain") as cursor:
        cursor.itersize = 10_000
        assert sum(1 for _ in cursor.execute(statement)) == ROWS
    return time.monotonic() - started


def _scan(installation: Installation) -> float:
    """Return the seconds of the client's own scan of all ids and hashes, in no order."""
    started = time.monotonic()
    query = {"_source": False, "docvalue_fields": ["_syncer.key", "_syncer.hash"]}
    hits = scan(installation.client, index=installation.alias, size=10_000, query=query)
    assert sum(1 for _ in hits) == ROWS
    return time.monotonic() - started


def _verify(installation: Installation) -> Measured:
    verified = measured(installation, "verify")
    assert verified.report["source_rows"] == verified.report["indexed"] == ROWS
    return verified
