"""The index's half of a comparison, in its two forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from syncer.adapters.elastic.digests import ElasticDigests
from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.memory.digests import MemoryIndexDigests
from syncer.adapters.memory.sink import MemoryIndex, MemorySink
from syncer.core.change import Document, Draft, Removal, Write
from syncer.core.comparison import Found
from syncer.core.field import Field
from syncer.core.index import IndexIdentity, write_alias
from syncer.core.key import Key
from syncer.ports import IndexDigests
from tests.conftest import Elastic

KEYS: list[Key] = [("b",), ("B",), ("a b", "-"), ("a|b", "\\"), ("é",), ("\uffff",), ("\U0001f511",), ("10",), ("9",)]

Make = Callable[[Sequence[Write]], IndexDigests]


@pytest.fixture(name="make", params=["memory", "elastic"])
def _make(request: pytest.FixtureRequest) -> Make:
    """Makes an index of three shards, and writes to it."""
    if request.param == "memory":
        return _memory
    elastic: Elastic = request.getfixturevalue("elastic")
    prefix: str = request.getfixturevalue("index_prefix")

    def make(writes: Sequence[Write]) -> IndexDigests:
        name = f"{prefix}-1"
        body = mapping([Field("n", "n", "long")], [])
        ElasticIndices(elastic.client, body, IndexSettings(shards=3)).create(name, {})
        for write in writes:
            ElasticSink(elastic.client, write_alias(name)).write([write])
        return ElasticDigests(elastic.client, name)

    return make


def _memory(writes: Sequence[Write]) -> IndexDigests:
    index = MemoryIndex(IndexIdentity("uuid", {}), shards=3)
    MemorySink(index).write(writes)
    return MemoryIndexDigests(index)


def a_document(key: Key, hash_: int = 7, routing: str | None = None, version: int = 100) -> Document:
    return Document(Draft(key, f'{{"n": {hash_}}}', hash_, {}, routing), {}, version)


def test_every_document_is_there_with_its_hash(make: Make) -> None:
    """Acknowledged is enough; keys rise by code points, and no hash is too long."""
    hashes = [*range(len(KEYS) - 2), 2**63 - 1, -(2**63)]
    digests = make([a_document(key, hash_) for key, hash_ in zip(KEYS, hashes, strict=True)])
    found = [entry for page in digests.pages() for entry in page]
    ids = ["b", "B", "a b|-", "a\\|b|\\\\", "é", "\uffff", "\U0001f511", "10", "9"]
    assert found == sorted((id_, hash_, "", "") for id_, hash_ in zip(ids, hashes, strict=True))
    assert digests.count() == len(KEYS)
    assert list(digests.strangers()) == []


def test_an_empty_index_has_no_pages(make: Make) -> None:
    """A document that was removed is not there."""
    digests = make([a_document(("1",)), Removal(("1",), 101)])
    assert (list(digests.pages()), list(digests.strangers()), digests.count()) == ([], [], 0)


def test_documents_are_found_by_their_id_as_they_are_now(make: Make) -> None:
    """With version, key and hash; whole ones with their fields, and nothing of ours among them."""
    digests = make([a_document(("1",), 5), a_document(("2",), 6, version=101)])
    assert digests.find(["1", "2", "3"], whole=False) == {
        "1": [Found("", 100, "1", 5)],
        "2": [Found("", 101, "2", 6)],
    }
    assert digests.find(["1"], whole=True) == {"1": [Found("", 100, "1", 5, {"n": 5})]}
    assert digests.find([], whole=False) == {}


def test_documents_of_one_key_under_two_routings_are_both_there(make: Make, request: pytest.FixtureRequest) -> None:
    """In the stream and when they are looked for."""
    if "elastic" in request.node.name:
        request.getfixturevalue("real_elastic")
    # These two lead to different shards, here and there.
    places = ["a", "b", "c", "d", "e", "f"]
    digests = make([a_document(("1",), i, routing) for i, routing in enumerate(places)])
    entries = [entry for page in digests.pages() for entry in page]
    found = digests.find(["1"], whole=False)["1"]
    assert len(entries) > 1
    assert {(hash_, routing) for _, hash_, routing, _ in entries} == {(each.hash, each.routing) for each in found}
    assert all(routing in places for _, _, routing, _ in entries)
