"""Graphs of vectors, which a load leaves out and its end builds."""

from __future__ import annotations

import time
from typing import Any

import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.error import IndexMissing
from syncer.core.index import write_alias
from syncer.core.outcome import Applied
from tests.adapters.elastic.examples import FIELDS, META, a_document, indices_of
from tests.conftest import Elastic

PATIENCE_SECONDS = 30.0
GRAPH = {"type": "int8_hnsw", "m": 16, "ef_construction": 100}


def options_of(elastic: Elastic, index: str) -> Any:
    return elastic.client.indices.get_mapping(index=index)[index]["mappings"]["properties"]["v"]["index_options"]


def wait_for(indices: ElasticIndices, task: str | None) -> None:
    assert task is not None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while indices.is_running(task):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def nearest(elastic: Elastic, index: str) -> str:
    found = elastic.client.search(index=index, knn={"field": "v", "query_vector": [0, 1, 0], "k": 1})
    return str(found["hits"]["hits"][0]["_id"])


def test_vectors_are_only_stored_while_they_are_loaded(elastic: Elastic, index_prefix: str) -> None:
    """And found all the same. At the end one merge builds the graph; a second call does no harm."""
    name = f"{index_prefix}-1"
    indices = indices_of(elastic, replicas=0)
    indices.create(name, META)
    assert options_of(elastic, name)["type"] == "flat"
    sink = ElasticSink(elastic.client, write_alias(name))
    for key, vector in (("east", [1.0, 0.0, 0.0]), ("north", [0.0, 1.0, 0.0])):
        assert sink.write([a_document(key, vector=vector)]) == [Applied(created=True)]
        elastic.client.indices.refresh(index=name)
    assert nearest(elastic, name) == "north"
    wait_for(indices, indices.build_graphs(name))
    assert options_of(elastic, name) == GRAPH
    assert nearest(elastic, name) == "north"
    if elastic.real:
        assert elastic.client.indices.stats(index=name)["_all"]["primaries"]["segments"]["count"] == 1
    wait_for(indices, indices.build_graphs(name))
    assert options_of(elastic, name) == GRAPH
    indices.restore(name)
    assert indices.build_graphs(name) is None, "it was loaded long ago"


def test_a_large_load_builds_graphs_as_it_goes(elastic: Elastic, index_prefix: str) -> None:
    """One merge of millions of vectors would take hours on one processor."""
    name = f"{index_prefix}-1"
    indices = indices_of(elastic, shards=2)
    indices.create(name, META)
    indices.expect(name, 1_000_000)
    assert options_of(elastic, name)["type"] == "flat"
    indices.expect(name, 1_000_001)
    assert options_of(elastic, name) == GRAPH


def test_without_vectors_there_is_nothing_to_build(elastic: Elastic, index_prefix: str) -> None:
    """Nor in an index that is gone."""
    name = f"{index_prefix}-1"
    indices = ElasticIndices(elastic.client, mapping(FIELDS, []), IndexSettings())
    indices.create(name, META)
    indices.expect(name, 10_000_000)
    assert indices.build_graphs(name) is None
    with pytest.raises(IndexMissing):
        indices_of(elastic).build_graphs(f"{index_prefix}-2")


def test_a_task_that_nobody_knows_has_ended(elastic: Elastic) -> None:
    """As after the restart of its node."""
    assert not indices_of(elastic).is_running("nowhere:1")
