"""Documents with a vector for each piece of a text, and what makes vectors near."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from syncer.adapters.elastic.digests import ElasticDigests
from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.elastic.search.searcher import ElasticSearcher
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.memory.clock import MemoryClock
from syncer.core.change import Document, Draft
from syncer.core.comparison import same_document
from syncer.core.field import Field, VectorField
from syncer.core.index import write_alias
from syncer.core.outcome import Applied
from syncer.core.search.condition import Term
from syncer.core.search.request import Mode, Request
from syncer.core.vector import Chunks, Vector
from tests.conftest import Elastic

FIELDS = [Field("tag", "tag", "keyword")]
PIECES = VectorField("pieces", "{tag}", 3, chunks=Chunks(256, 32))
WHOLE = VectorField("whole", "{tag}", 3)
DRAFTS = {key: Draft((key,), f'{{"tag": "{key}"}}', 7, {"pieces": "text"}) for key in "abc"}


def packed(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


#: What is near to (0, 0, 1): a piece of one text is, and the mean of the other is nearer than that of the first.
VECTORS: dict[str, Vector] = {
    "a": (packed(1, 0.1, 0), packed(0, 0.1, 1), packed(1, 0, 0.1)),
    "b": (packed(0.1, 0.8, 0.8), packed(0.1, 0.8, 0.7)),
    "c": (packed(-1, 0.3, 0),),
}


def sought(_text: str) -> bytes:
    return packed(0, 0, 1)


def filled(elastic: Elastic, name: str, field: VectorField, vectors: dict[str, Vector]) -> ElasticIndices:
    """Return the indices of which one holds documents with these vectors."""
    indices = ElasticIndices(elastic.client, mapping(FIELDS, [field]), IndexSettings(replicas=0))
    indices.create(name, {"pipeline": "p"})
    writes = [Document(DRAFTS[key], {field.name: vector}, 1) for key, vector in vectors.items()]
    assert ElasticSink(elastic.client, write_alias(name)).write(writes) == [Applied(created=True)] * len(writes)
    return indices


def found(elastic: Elastic, index: str, fields: Sequence[VectorField], **options: object) -> list[str]:
    elastic.client.indices.refresh(index=index)
    searcher = ElasticSearcher(elastic.client, Searched(index, FIELDS, fields), sought, MemoryClock())
    return [hit.id for hit in searcher.search(Request("x", Mode.VECTOR, **options)).hits]  # type: ignore[arg-type]


def test_a_document_is_found_by_its_best_piece(elastic: Elastic, index_prefix: str) -> None:
    """Once, however many of them are near; also within a filter."""
    name = f"{index_prefix}-1"
    filled(elastic, name, PIECES, VECTORS)
    assert found(elastic, name, [PIECES]) == ["a", "b", "c"]
    assert found(elastic, name, [PIECES], conditions=(Term("tag", ("b", "c")),), size=1) == ["b"]
    assert ElasticDigests(elastic.client, name).count() == 3


def test_the_graph_of_pieces_is_built_at_the_end_of_a_load(real_elastic: Elastic, index_prefix: str) -> None:
    """They are searched one by one until then."""
    elastic, name = real_elastic, f"{index_prefix}-1"

    def kind() -> str:
        properties = elastic.client.indices.get_mapping(index=name)[name]["mappings"]["properties"]
        return str(properties["pieces"]["properties"]["vector"]["index_options"]["type"])

    indices = filled(elastic, name, PIECES, VECTORS)
    assert kind() == "flat"
    assert indices.build_graphs(name) is not None
    assert kind() == "int8_hnsw"
    assert found(elastic, name, [PIECES]) == ["a", "b", "c"]


def test_a_hit_holds_no_pieces(elastic: Elastic, index_prefix: str) -> None:
    """Nobody reads them."""
    name = f"{index_prefix}-1"
    filled(elastic, name, PIECES, VECTORS)
    elastic.client.indices.refresh(index=name)
    searcher = ElasticSearcher(elastic.client, Searched(name, FIELDS, [PIECES]), sought, MemoryClock())
    assert [hit.source for hit in searcher.search(Request("x", Mode.VECTOR, size=1)).hits] == [{"tag": "a"}]


def test_pieces_are_compared_as_they_were_written(elastic: Elastic, index_prefix: str) -> None:
    """To within what servers round; a piece that was edited, or is gone, is told."""
    name = f"{index_prefix}-1"
    filled(elastic, name, PIECES, VECTORS)
    digests = ElasticDigests(elastic.client, name)
    whole = digests.find(["a", "b", "c"], whole=True)
    for key, draft in DRAFTS.items():
        assert same_document(draft, {"pieces": VECTORS[key]}, whole[key][0])
    one, *others = VECTORS["a"]
    for edited in ((packed(1, 0.2, 0), *others), tuple(others), (*others, one)):
        assert not same_document(DRAFTS["a"], {"pieces": edited}, whole["a"][0])  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("similarity", "order"),
    [("cosine", ["a", "b"]), ("l2_norm", ["a", "b"]), ("max_inner_product", ["b", "a"])],
)
def test_vectors_of_any_length_are_near_in_several_ways(
    elastic: Elastic, index_prefix: str, similarity: str, order: list[str]
) -> None:
    """A long one that points elsewhere is near for the inner product alone."""
    name = f"{index_prefix}-1"
    field = VectorField("whole", "{tag}", 3, similarity)
    filled(elastic, name, field, {"a": packed(0, 0.1, 0.9), "b": packed(0, 3, 3)})
    assert found(elastic, name, [field]) == order


def test_vectors_of_length_one_are_near_by_their_dot_product(elastic: Elastic, index_prefix: str) -> None:
    """Pieces too."""
    name = f"{index_prefix}-1"
    field = VectorField("pieces", "{tag}", 3, "dot_product", chunks=Chunks(256, 32))
    filled(elastic, name, field, {"a": (packed(0, 1, 0), packed(1, 0, 0)), "b": (packed(0, 0.6, 0.8),)})
    assert found(elastic, name, [field]) == ["b", "a"]


def test_fields_are_searched_together(elastic: Elastic, index_prefix: str) -> None:
    """Their scores are added up."""
    name = f"{index_prefix}-1"
    indices = ElasticIndices(elastic.client, mapping(FIELDS, [PIECES, WHOLE]), IndexSettings(replicas=0))
    indices.create(name, {"pipeline": "p"})
    whole = {"a": packed(1, 0, 0), "b": packed(0, 0.1, 1), "c": packed(0, 1, 0.9)}
    writes = [Document(DRAFTS[key], {"pieces": VECTORS[key], "whole": whole[key]}, 1) for key in "abc"]
    assert ElasticSink(elastic.client, write_alias(name)).write(writes) == [Applied(created=True)] * 3
    assert found(elastic, name, [PIECES])[0] == "a"
    assert found(elastic, name, [PIECES, WHOLE]) == ["b", "a", "c"]
