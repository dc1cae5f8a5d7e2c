"""Rows delivered again whose texts are as they were, beside embedding these texts."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from syncer.adapters.embedding.sentence import SentenceEmbedder
from syncer.adapters.postgres.vector_cache import PostgresVectorCache
from syncer.core.change import Draft
from syncer.engine.embed import Embedding
from tests.acceptance.installation import Installation
from tests.benchmarks.measure import MINILM, fill_documentation

pytestmark = pytest.mark.benchmark

#: 20,000 take some minutes to embed.
ROWS = int(os.environ.get("SYNCER_BENCH_CACHE_ROWS", "5000"))
#: Texts that the model alone is timed on.
SAMPLE = 1_000
BATCH = 1_000
TURNS = 3


def test_redelivery_of_unchanged_rows(installation: Installation, machine: str) -> None:
    """A first load, which embeds; then what the cache alone takes, and backfills and resyncs that embed nothing."""
    texts = fill_documentation(installation, ROWS)
    embedder = SentenceEmbedder(MINILM)
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
