"""What only a server shows of comparing: documents of others, slices, and answers for a part of the index."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.digests import Cut, ElasticDigests
from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.change import Document, Draft
from syncer.core.comparison import same_document
from syncer.core.error import ConfigurationError, IndexMissing, SinkUnavailable
from syncer.core.field import Field, VectorField
from syncer.core.index import write_alias
from tests.adapters.elastic.scripted import Answer, Request, scripted
from tests.conftest import Elastic

VECTORS = [VectorField("v", "{t}", 3)]
FIELDS = [
    Field("t", "t", "keyword"),
    Field("parts", "parts", "nested", options={"properties": {"x": {"type": "keyword"}}}),
]


@pytest.fixture
def index(elastic: Elastic, index_prefix: str) -> str:
    name = f"{index_prefix}-1"
    ElasticIndices(elastic.client, mapping(FIELDS, VECTORS), IndexSettings(shards=2)).create(name, {})
    return name


def put(elastic: Elastic, index: str, id_: str, **body: object) -> None:
    elastic.client.index(index=index, id=id_, document=body)


def test_documents_that_somebody_else_wrote_are_strangers(elastic: Elastic, index: str) -> None:
    """Nested documents are none, nor is one without hash: that has a key."""
    put(elastic, index, "1", parts=[{"x": "a"}, {"x": "b"}], _syncer={"key": "1", "hash": 5})
    put(elastic, index, "2", t="a", parts=[{"x": "a"}])
    put(elastic, index, "3", t="a", _syncer={"hash": 5})
    put(elastic, index, "4", t="a", _syncer={"key": "4"})
    digests = ElasticDigests(elastic.client, index)
    assert sorted(id_ for page in digests.strangers() for id_ in page) == ["2", "3"]
    assert [(key, other) for page in digests.pages() for key, _, _, other in page] == [("1", ""), ("4", "")]
    assert digests.count() == 4
    assert digests.find(["2"], whole=False)["2"][0].key is None


def test_a_key_under_another_id_is_told_with_that_id(elastic: Elastic, index: str) -> None:
    """A copy of a document under another id would pass for the row's own."""
    put(elastic, index, "1", _syncer={"key": "1", "hash": 5})
    put(elastic, index, "x", _syncer={"key": "1", "hash": 5})
    digests = ElasticDigests(elastic.client, index)
    assert sorted(entry for page in digests.pages() for entry in page) == [("1", 5, "", ""), ("1", 5, "", "x")]


def test_slices_and_pages_come_out_as_one_stream(elastic: Elastic, index: str) -> None:
    """Each document once, in the order of the keys."""
    cut = Cut(slice_documents=100, held=50, page_least=7, page_most=30)
    documents = [Document(Draft((str(i),), "{}", i, {}), {}, 1) for i in range(1000)]
    ElasticSink(elastic.client, write_alias(index)).write(documents)
    pages = list(ElasticDigests(elastic.client, index, cut).pages())
    assert [entry for page in pages for entry in page] == sorted((str(i), i, "", "") for i in range(1000))
    assert max(map(len, pages)) == 30


def test_whole_documents_come_with_their_vectors(elastic: Elastic, index: str) -> None:
    """Newer servers leave them out unless they are asked for them."""
    put(elastic, index, "1", t="a", v=[0.6, 0.0, -0.8], _syncer={"key": "1", "hash": 5})
    (found,) = ElasticDigests(elastic.client, index).find(["1"], whole=True)["1"]
    assert found.source is not None
    assert found.source["t"] == "a"
    assert found.source["v"] == pytest.approx([0.6, 0.0, -0.8])
    assert "_syncer" not in found.source


def test_vectors_of_columns_are_named_as_such(elastic: Elastic, index_prefix: str) -> None:
    """Those of nested fields too: the server may give them back rounded."""
    name = f"{index_prefix}-1"
    vector = {"type": "dense_vector", "dims": 3, "similarity": "cosine"}
    fields = [
        Field("v", "v", "dense_vector", options={"dims": 3, "similarity": "cosine"}),
        Field("parts", "parts", "nested", options={"properties": {"v": vector, "x": {"type": "keyword"}}}),
    ]
    ElasticIndices(elastic.client, mapping(fields, []), IndexSettings()).create(name, {})
    body = {"v": [0.123456789123, 3e3, 1], "parts": [{"v": [0.123456789123, 3e3, 1], "x": "a"}, {"v": None, "x": "b"}]}
    draft = Draft(("1",), json.dumps(body), 5, {})
    ElasticSink(elastic.client, write_alias(name)).write([Document(draft, {}, 1)])
    (found,) = ElasticDigests(elastic.client, name).find(["1"], whole=True)["1"]
    assert found.vectors == {"v", "parts.v"}
    assert same_document(draft, {}, found)
    body["v"] = [0.2, 3e3, 1]
    assert not same_document(replace(draft, body=json.dumps(body)), {}, found)


def test_an_index_that_does_not_keep_its_documents_cannot_be_compared_deeply(
    real_elastic: Elastic, index_prefix: str
) -> None:
    """Its documents are made up anew when they are read, in another form; hashes can be compared."""
    name = f"{index_prefix}-1"
    settings = IndexSettings(settings={"mapping.source.mode": "synthetic"})
    ElasticIndices(real_elastic.client, mapping(FIELDS, []), settings).create(name, {})
    put(real_elastic, name, "1", t="a", _syncer={"key": "1", "hash": 5})
    digests = ElasticDigests(real_elastic.client, name)
    with pytest.raises(ConfigurationError, match="synthetic") as raised:
        digests.find(["1"], whole=True)
    assert "--deep" in raised.value.hint
    assert digests.find(["1"], whole=False)["1"][0].hash == 5


@pytest.mark.parametrize("whole", [False, True])
def test_an_empty_id_is_of_no_document(elastic: Elastic, index: str, whole: bool) -> None:
    """The server refuses a search for it."""
    put(elastic, index, "1", _syncer={"key": "1", "hash": 5})
    digests = ElasticDigests(elastic.client, index)
    assert list(digests.find(["", "1"], whole=whole)) == ["1"]
    assert digests.find([""], whole=whole) == {}


def test_a_comparison_leaves_no_search_context_behind(real_elastic: Elastic, index: str) -> None:
    """Neither at its end nor when it is broken off."""
    documents = [Document(Draft((str(i),), "{}", i, {}), {}, 1) for i in range(10)]
    ElasticSink(real_elastic.client, write_alias(index)).write(documents)

    def open_contexts() -> int:
        stats = real_elastic.client.indices.stats(index=index, metric="search").body
        return int(stats["_all"]["total"]["search"]["open_contexts"])

    list(ElasticDigests(real_elastic.client, index).pages())
    pages = ElasticDigests(real_elastic.client, index).pages()
    next(iter(pages))
    assert open_contexts() > 0
    pages.close()  # type: ignore[attr-defined]  # a generator
    assert open_contexts() == 0


def test_a_missing_index_is_an_error(elastic: Elastic, index_prefix: str) -> None:
    """Not an index without documents."""
    digests = ElasticDigests(elastic.client, f"{index_prefix}-none")
    for read in (digests.pages, digests.strangers):
        with pytest.raises(IndexMissing):
            list(read())
    with pytest.raises(IndexMissing):
        digests.find(["1"], whole=False)


@pytest.mark.parametrize("said", [{"timed_out": True, "_shards": {"failed": 0}}, {"_shards": {"failed": 1}}, {}])
@pytest.mark.parametrize("method", ["count", "pages", "strangers", "find"])
def test_an_answer_for_a_part_of_the_index_is_an_error(said: dict[str, Any], method: str) -> None:
    """Whatever else is in it: what a shard would have said is not missing."""

    def answer(request: Request) -> Answer:
        if request.path.endswith("/_refresh"):
            return Answer(200, {})
        if "_pit" in request.path:
            return Answer(200, {"id": "p"})
        if method == "pages" and request.path.endswith("/_count"):
            return Answer(200, {"count": 1, "_shards": {"failed": 0}})
        return Answer(200, {"count": 1, "pit_id": "p", "hits": {"hits": []}, **said})

    with scripted(answer) as url, Elasticsearch(url) as client:
        digests = ElasticDigests(client, "index")
        calls: dict[str, Callable[[], object]] = {
            "count": digests.count,
            "pages": lambda: list(digests.pages()),
            "strangers": lambda: list(digests.strangers()),
            "find": lambda: digests.find(["1"], whole=False),
        }
        with pytest.raises(SinkUnavailable, match="a part of the index"):
            calls[method]()
