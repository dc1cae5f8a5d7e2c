"""Graphs of vectors, which a load leaves out and its end builds."""

from __future__ import annotations

import struct
import time
from typing import Any

import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping, while_loading
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.change import Document, Draft
from syncer.core.error import IndexMissing, SinkUnavailable
from syncer.core.field import Field, VectorField
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


def loaded(elastic: Elastic, name: str, *vectors: list[float]) -> ElasticIndices:
    """Return the indices of which one is loaded, a segment for each document."""
    indices = indices_of(elastic, replicas=0)
    indices.create(name, META)
    sink = ElasticSink(elastic.client, write_alias(name))
    for number, vector in enumerate(vectors):
        assert sink.write([a_document(f"{number}", vector=vector)]) == [Applied(created=True)]
        elastic.client.indices.refresh(index=name)
    return indices


def test_vectors_are_only_stored_while_they_are_loaded(real_elastic: Elastic, index_prefix: str) -> None:
    """And found all the same. At the end one merge builds the graph; a second call does no harm."""
    elastic, name = real_elastic, f"{index_prefix}-1"
    indices = loaded(elastic, name, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    assert options_of(elastic, name)["type"] == "flat"
    assert nearest(elastic, name) == "1"
    for _ in range(2):
        wait_for(indices, indices.build_graphs(name))
        assert options_of(elastic, name) == GRAPH
        assert nearest(elastic, name) == "1"
        assert elastic.client.indices.stats(index=name)["_all"]["primaries"]["segments"]["count"] == 1
    indices.restore(name)
    assert indices.build_graphs(name) is None, "it was loaded long ago"
    assert elastic.client.indices.get_mapping(index=name)[name]["mappings"]["_meta"] == {"syncer": META}


def test_only_where_graphs_can_be_built_later_they_are_left_out(elastic: Elastic, index_prefix: str) -> None:
    """Not on an older server, or on noida-db, which forgets its tasks: there nothing is left to do at the end."""
    name = f"{index_prefix}-1"
    indices = loaded(elastic, name, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    assert (options_of(elastic, name) != GRAPH) is elastic.real
    assert nearest(elastic, name) == "1"
    assert (indices.build_graphs(name) is not None) is elastic.real
    assert options_of(elastic, name) == GRAPH


@pytest.mark.parametrize("index", ["hnsw", "int4_hnsw", "bbq_hnsw"])
def test_each_kind_of_graph_is_built_at_the_end(real_elastic: Elastic, index_prefix: str, index: str) -> None:
    """And finds what is nearest."""
    client, name = real_elastic.client, f"{index_prefix}-1"
    body = mapping([], [VectorField("v", "{title}", 64, index=index)])
    indices = ElasticIndices(client, body, IndexSettings(replicas=0))
    indices.create(name, META)
    sink = ElasticSink(client, write_alias(name))
    for place in range(3):
        vector = struct.pack("<64f", *(float(each % 3 == place) for each in range(64)))
        sink.write([Document(Draft((str(place),), "{}", 1, {}), {"v": vector}, 1)])
    client.indices.refresh(index=name)
    wait_for(indices, indices.build_graphs(name))
    assert options_of(real_elastic, name)["type"] == index
    query = [float(each % 3 == 1) for each in range(64)]
    found = client.search(index=name, knn={"field": "v", "query_vector": query, "k": 1})
    assert found["hits"]["hits"][0]["_id"] == "1"


def test_a_load_that_was_parted_is_merged(real_elastic: Elastic, index_prefix: str) -> None:
    """Of what came in one piece nothing is merged, and no graph is built."""
    elastic, name = real_elastic, f"{index_prefix}-1"

    def segments() -> set[str]:
        (copy,) = elastic.client.indices.segments(index=name)["indices"][name]["shards"]["0"]
        return set(copy["segments"])

    indices = indices_of(elastic, replicas=0)
    indices.create(name, META)
    sink = ElasticSink(elastic.client, write_alias(name))
    for key in ("1", "2"):
        sink.write([a_document(key, vector=[1.0, 0.0, 0.0])])
        indices.part(name)
    before = segments()
    assert len(before) == 2
    wait_for(indices, indices.build_graphs(name))
    after = segments()
    assert len(after) == 1
    assert after.isdisjoint(before)


def test_a_large_load_builds_graphs_as_it_goes(real_elastic: Elastic, index_prefix: str) -> None:
    """One merge of millions of vectors would take hours on one processor. However many rows come in the end."""
    name = f"{index_prefix}-1"
    indices = indices_of(real_elastic, shards=2)
    indices.create(name, META)
    indices.expect(name, 1_000_000)
    assert options_of(real_elastic, name)["type"] == "flat"
    indices.expect(name, 1_000_001)
    assert options_of(real_elastic, name) == GRAPH
    assert indices.build_graphs(name) is None


def test_a_merge_that_did_not_take_place_is_no_success(real_elastic: Elastic, index_prefix: str) -> None:
    """To Elasticsearch it has not failed either: there was no shard to merge."""
    name = f"{index_prefix}-1"
    body = mapping([], [VectorField("v", "{title}", 3)])
    real_elastic.client.indices.create(
        index=name,
        settings={"number_of_replicas": 0, "routing.allocation.require._name": "nowhere"},
        mappings={**while_loading(body), "_meta": {"syncer": META, "graphs": "later"}},
        wait_for_active_shards=0,
    )
    indices = indices_of(real_elastic)
    with pytest.raises(SinkUnavailable, match="0 of 1 shards were merged"):
        wait_for(indices, indices.build_graphs(name))


def test_a_vector_of_the_users_whose_length_the_server_finds_out_is_left_alone(
    real_elastic: Elastic, index_prefix: str
) -> None:
    """Its mapping could not be put again: it says `dims` by then."""
    name = f"{index_prefix}-1"
    field = Field("v", "v", "dense_vector", options={"index_options": GRAPH})
    indices = ElasticIndices(real_elastic.client, mapping([field], []), IndexSettings(replicas=0))
    indices.create(name, META)
    assert options_of(real_elastic, name) == GRAPH
    assert indices.build_graphs(name) is None


def test_without_vectors_there_is_nothing_to_build(elastic: Elastic, index_prefix: str) -> None:
    """Nor in an index that is gone."""
    name = f"{index_prefix}-1"
    indices = ElasticIndices(elastic.client, mapping(FIELDS, []), IndexSettings())
    indices.create(name, META)
    indices.expect(name, 10_000_000)
    assert indices.build_graphs(name) is None
    with pytest.raises(IndexMissing):
        indices_of(elastic).build_graphs(f"{index_prefix}-2")


def test_a_task_that_nobody_knows_is_lost(real_elastic: Elastic) -> None:
    """As after the restart of its node: it is begun again."""
    with pytest.raises(SinkUnavailable, match=r"merge .* is lost"):
        indices_of(real_elastic).is_running("nowhere:1")
