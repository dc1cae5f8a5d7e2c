"""The shard that Elasticsearch puts a document into, computed as the server does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from elasticsearch import Elasticsearch

from syncer.core.error import FatalError, SinkUnavailable
from syncer.core.shards import Shards

#: Routings that the server is asked about: on fewer, two ways may agree by chance.
_PROOFS = tuple(map(str, range(16)))
_MASK = 0xFFFFFFFF


def index_shards(client: Elasticsearch, name: str, settings: Mapping[str, Any]) -> Shards:
    """Return the shards of an index with these settings; computed in the way that the server is found to follow.

    Rejected: to ask the server alone, once for each routing, for ids are routings too.
    """
    number = int(settings["number_of_shards"])
    if number == 1:
        return Shards(1, lambda _: 0)
    told = [(routing, _told(client, name, routing)) for routing in _PROOFS]
    for shard_of in shard_functions(number):
        if all(shard_of(routing) == shard for routing, shard in told):
            return Shards(number, shard_of)
    raise FatalError(
        f"index {name}: how Elasticsearch chooses shards is not known",
        hint="route by a column of the table itself, ask for one shard (index.shards), or leave "
        "number_of_routing_shards out of index.settings",
    )


def _told(client: Elasticsearch, name: str, routing: str) -> int:
    """Return the shard that the server names."""
    found = client.search_shards(index=name, routing=routing).body["shards"]
    named = {copy["shard"] for copies in found for copy in copies}
    if len(named) > 1:
        raise FatalError(f"index {name}: documents of one routing are in several shards (routing_partition_size)")
    if not named:
        raise SinkUnavailable(f"index {name}: the shard of routing {routing} is away")
    return int(named.pop())


def shard_functions(shards: int) -> Iterator[Callable[[str], int]]:
    """Yield the ways in which versions of Elasticsearch number the shard of a routing, the newest first.

    Of `index.number_of_routing_shards` nothing is known, for the server does not tell it: set otherwise, older versions
    follow neither.
    """
    yield lambda routing: murmur3(routing) % shards
    # As many as an index may be split into: doubled up to 1,024, and once at least.
    split_into = shards << max(1, 10 - (shards - 1).bit_length())
    yield lambda routing: murmur3(routing) % split_into // (split_into // shards)


def murmur3(text: str) -> int:
    """Return the hash of the text's UTF-16 units: MurmurHash3 of 32 bits, seed 0, about 5 µs for a short text."""
    data = text.encode("utf-16-le", "surrogatepass")
    whole = len(data) & ~3
    hash_ = 0
    for start in range(0, whole, 4):
        hash_ ^= _scrambled(int.from_bytes(data[start : start + 4], "little"))
        hash_ = (_turned(hash_, 13) * 5 + 0xE6546B64) & _MASK
    hash_ ^= _scrambled(int.from_bytes(data[whole:], "little")) ^ len(data)
    hash_ = (hash_ ^ hash_ >> 16) * 0x85EBCA6B & _MASK
    hash_ = (hash_ ^ hash_ >> 13) * 0xC2B2AE35 & _MASK
    hash_ ^= hash_ >> 16
    # Signed, as in Java: its floorMod() is Python's %.
    return hash_ - (1 << 32) if hash_ >> 31 else hash_


def _scrambled(block: int) -> int:
    return _turned(block * 0xCC9E2D51 & _MASK, 15) * 0x1B873593 & _MASK


def _turned(number: int, bits: int) -> int:
    return (number << bits | number >> 32 - bits) & _MASK
