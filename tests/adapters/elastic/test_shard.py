"""Shards are computed as the server chooses them."""

from __future__ import annotations

import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.shard import index_shards, murmur3
from syncer.core.error import FatalError
from tests.conftest import Elastic


@pytest.mark.parametrize("shards", [1, 3, 4, 7])
def test_a_routing_leads_where_the_server_says(shards: int, elastic: Elastic, index_prefix: str) -> None:
    """Each but a document's own is led to once, whatever its routing is written in, and also where its id leads."""
    indices = ElasticIndices(elastic.client, mapping([], []), IndexSettings(shards, 0))
    indices.create(index_prefix, {"pipeline": "items"})

    def told(routing: str) -> int:
        [[copy]] = elastic.client.search_shards(index=index_prefix, routing=routing).body["shards"]
        return int(copy["shard"])

    found = indices.shards(index_prefix)
    for key, routing in (("1", None), ("é€𝄞", ""), ("1", "eu-west"), ("1", "北"), ("1", "𝄞")):
        led_to = [told(each) for each in found.others((key,), routing)]
        assert sorted([*led_to, told(routing or key)]) == list(range(shards))


def test_a_server_that_chooses_in_another_way_is_not_guessed_at(elastic: Elastic, index_prefix: str) -> None:
    """As one does that follows neither of the known ones."""
    elastic.client.indices.create(index=index_prefix, settings={"number_of_shards": 2, "number_of_replicas": 0})
    with pytest.raises(FatalError, match="not known"):
        index_shards(elastic.client, index_prefix, {"number_of_shards": "3"})


def test_the_hash_is_murmur3() -> None:
    """Of UTF-16, signed; as Elasticsearch's own tests have it."""
    hashes = {text: murmur3(text) & 0xFFFFFFFF for text in ("hell", "hello", "hello w", "hello wo", "hello wor")}
    assert hashes == {
        "hell": 0x5A0CB7C3,
        "hello": 0xD7C31989,
        "hello w": 0x22AB2984,
        "hello wo": 0xDF0CA123,
        "hello wor": 0xE7744D61,
    }
