"""First load, text only: syncer beside a plain keyset loop over `streaming_bulk`, on the same table and server."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psutil
import psycopg
import pytest
from elasticsearch.helpers import streaming_bulk
from psycopg.rows import dict_row

from tests.acceptance.installation import Installation

pytestmark = pytest.mark.benchmark

FILL = """
INSERT INTO public.page (id, title, body)
SELECT i, 'page ' || i, (
    SELECT string_agg(md5((i * 31 + j)::text), ' ') FROM generate_series(1, 29) j
) FROM generate_series(%s::bigint, %s::bigint) i
"""
SCHEMA = """
CREATE TABLE public.page (
    id bigint PRIMARY KEY, title text NOT NULL, body text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON public.page (updated_at, id);
"""
FIELDS = {"id": "long", "title": "text", "body": "text", "updated_at": "date"}
PAIRS = 3


def test_first_load_beside_a_plain_loop(installation: Installation, machine: str) -> None:
    """50,000 rows of about 1 kB, three pairs; the ratio is syncer's rate over the plain loop's."""
    rows = 50_000
    _fill(installation, 1, rows)
    ratios, peak = [], 0.0
    for pair in range(PAIRS):
        plain = rows / _plain_load(installation, f"{installation.alias}-plain-{pair}")
        seconds, peak = _syncer_load(installation, rows)
        ratios.append(rows / seconds / plain)
        print(
            f"\npair {pair + 1}: plain {plain:,.0f} rows/s, syncer {rows / seconds:,.0f} rows/s, ratio {ratios[-1]:.2f}"
        )
    print(f"first load, {rows:,} rows x 1 kB: ratio median {statistics.median(ratios):.2f}, RSS peak {peak:.0f} MiB")
    print(f"({machine})")


def test_memory_of_a_load_ten_times_as_large(installation: Installation, machine: str) -> None:
    """The peak of resident memory at 50,000 and at 500,000 rows."""
    _fill(installation, 1, 50_000)
    _, small = _syncer_load(installation, 50_000)
    _fill(installation, 50_001, 500_000)
    seconds, large = _syncer_load(installation, 500_000)
    print(f"\nRSS peak {small:.0f} MiB at 50,000 rows, {large:.0f} MiB at 500,000, ratio {large / small:.2f}")
    print(f"500,000 rows: {500_000 / seconds:,.0f} rows/s")
    print(f"({machine})")


def _fill(installation: Installation, first: int, last: int) -> None:
    if first == 1:
        installation.sql(SCHEMA)
        installation.configure("public.page", fields=FIELDS, index={"replicas": 0})
    installation.sql(FILL, first, last)
    installation.sql("VACUUM ANALYZE public.page")


def _plain_load(installation: Installation, index: str) -> float:
    """Return the seconds that the loop everybody writes first takes, until all of it can be searched."""
    mappings = {"dynamic": "strict", "properties": {name: {"type": kind} for name, kind in FIELDS.items()}}
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
    installation.client.indices.create(index=index, mappings=mappings, settings=settings)

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


def _syncer_load(installation: Installation, rows: int) -> tuple[float, float]:
    """Return the seconds that a first load takes until all of it can be searched, and the peak of its memory in MiB."""
    if installation.client.indices.exists_alias(name=installation.alias):
        for index in installation.client.indices.get_alias(name=installation.alias):
            installation.client.indices.delete(index=index)
    installation.sql("DELETE FROM syncer.indices")
    process = subprocess.Popen(
        [sys.executable, "-m", "syncer", "run", installation.alias, "--once", "--json"],
        cwd=installation.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    peak = 0
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    assert process.stdout is not None
    report = json.loads(process.stdout.read())
    process.stdout.close()
    assert process.wait() == 0
    assert report["applied"] >= rows
    return float(report["seconds"]), peak / 2**20
