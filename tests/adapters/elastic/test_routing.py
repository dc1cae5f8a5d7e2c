"""Documents that are routed: where they are stored, and what is removed."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from syncer.adapters.elastic.action import Actions
from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.change import Document, Removal
from syncer.core.index import write_alias
from syncer.core.outcome import Applied, Stale
from tests.adapters.elastic.examples import a_document
from tests.conftest import Elastic

KEY = ("1",)


def routed(routing: str | None, version: int = 100) -> Document:
    document = a_document("1", version=version)
    return replace(document, draft=replace(document.draft, routing=routing))


@pytest.fixture
def index(real_elastic: Elastic, index_prefix: str) -> str:
    """Of three shards; the routings "a" and "b" lead to one of them, "c" to another."""
    name = f"{index_prefix}-1"
    ElasticIndices(real_elastic.client, mapping([], []), IndexSettings(shards=3)).create(name, {})
    return name


@pytest.fixture
def sink(real_elastic: Elastic, index: str) -> ElasticSink:
    return ElasticSink(real_elastic.client, write_alias(index))


def stored(elastic: Elastic, index: str) -> list[str | None]:
    """Return the routings of all documents."""
    elastic.client.indices.refresh(index=index)
    return [hit.get("_routing") for hit in elastic.client.search(index=index)["hits"]["hits"]]


@pytest.mark.parametrize("routing", [None, ""])
def test_a_line_without_routing_is_as_it_was(routing: str | None) -> None:
    """An empty one is none, to Elasticsearch too."""
    assert b"routing" not in Actions("w").of(routed(routing)).header
    assert b"routing" not in Actions("w").of(Removal(KEY, 1, routing)).header


def test_any_text_can_be_a_routing() -> None:
    """It is quoted as JSON."""
    text = 'a "b",\n\\ ü'
    for write in (routed(text), Removal(KEY, 1, text)):
        (header,) = orjson.loads(Actions("w").of(write).header).values()
        assert header["routing"] == text


def test_a_document_is_stored_and_removed_where_its_routing_leads(
    real_elastic: Elastic, index: str, sink: ElasticSink
) -> None:
    """A removal with another routing, or with none, finds nothing in the shard that it comes to."""
    assert sink.write([routed("a"), routed("c")]) == [Applied(created=True)] * 2
    assert sorted(map(str, stored(real_elastic, index))) == ["a", "c"]
    assert sink.write([Removal(KEY, 101, "a")]) == [Applied()]
    assert stored(real_elastic, index) == ["c"]
    assert sink.write([Removal(KEY, 99, "c"), Removal(KEY, 102, "c")]) == [Stale(100), Applied()]
    assert stored(real_elastic, index) == []


def test_the_removal_of_a_key_whose_routing_nobody_knows_is_taken(sink: ElasticSink) -> None:
    """It may find nothing, which is no reason to refuse it."""
    assert sink.write([Removal(KEY, 101)]) == [Applied()]


def test_in_one_shard_the_later_of_two_writes_with_one_number_wins(
    real_elastic: Elastic, index: str, sink: ElasticSink
) -> None:
    """So what empties the old place of a document has to come before the document."""
    sink.write([Removal(KEY, 100, "a"), routed("b")])
    assert stored(real_elastic, index) == ["b"]
    sink.write([routed("b"), Removal(KEY, 100, "a")])
    assert stored(real_elastic, index) == []
