"""The documents of one index as keys and hashes, in the order of the keys: the index's half of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from heapq import merge
from itertools import islice
from typing import Any

from elastic_transport import ApiError, TransportError
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.error import translate_errors
from syncer.adapters.elastic.version import server_version
from syncer.core.comparison import Entry, Found
from syncer.core.error import ConfigurationError, SinkUnavailable
from syncer.core.field import OWN_FIELD

_KEY, _HASH = f"{OWN_FIELD}.key", f"{OWN_FIELD}.hash"

#: A search context outlives its last page by this: thousands of differences may be looked at, and mended, in between.
_KEEP_ALIVE = "1h"
#: Ids in one search, alone and with their documents.
_IDS, _WHOLE_IDS = 1_000, 200
#: From here on vectors are left out of a document unless they are asked for; before, the option is unknown.
_EXCLUDES_VECTORS = (9, 2)
#: Kept as float32, and for some similarities scaled.
_VECTOR_TYPE = "dense_vector"

_JSON = {"accept": "application/json", "content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Cut:
    """How an index is read in pieces."""

    #: Each page of a slice looks at the keys of the whole slice: with slices of some size, time grows with the index.
    slice_documents: int = 125_000
    slices: int = 100
    #: Documents that are held in memory at once, about.
    held: int = 100_000
    page_least: int = 1_000
    #: The server's default of `index.max_result_window`.
    page_most: int = 10_000


class ElasticDigests:
    """Implements `IndexDigests`."""

    def __init__(self, client: Elasticsearch, index: str, cut: Cut | None = None) -> None:
        self._client = client
        self._index = index
        self._cut = cut or Cut()

    def count(self) -> int:
        """Return how many documents there are, those of nested fields not counted."""
        with translate_errors():
            self._client.indices.refresh(index=self._index)
            answer = self._client.count(index=self._index).body
        _prove_complete(answer)
        return int(answer["count"])

    def pages(self) -> Iterator[Sequence[Entry]]:
        """Yield all documents that carry a key, in the order of the keys; see `ports.IndexDigests`.

        The index is cut into slices, each of which is read in pages of its own, and these are merged. Rejected: pages
        of the index as a whole, each of which would look at every key there is; and doc order with a sort here, which
        needs a disk.
        """
        cut = self._cut
        slices = min(cut.slices, max(1, -(-self.count() // cut.slice_documents)))
        rows = min(cut.page_most, max(cut.page_least, cut.held // slices))
        with self._point_in_time() as point:
            entries = merge(*(self._slice(point, i, slices, rows) for i in range(slices)))
            while page := list(islice(entries, cut.page_most)):
                yield page

    def strangers(self) -> Iterator[Sequence[str]]:
        """Yield the ids of documents without a key: somebody else wrote them."""
        without_key = {"query": {"bool": {"must_not": {"exists": {"field": _KEY}}}}, "sort": ["_shard_doc"]}
        with self._point_in_time() as point:
            for hits in self._pages(point, without_key, self._cut.page_most):
                yield [hit["_id"] for hit in hits]

    def find(self, ids: Sequence[str], *, whole: bool) -> Mapping[str, Sequence[Found]]:
        """Return the documents of these ids under every routing; see `ports.IndexDigests`.

        Raises ConfigurationError where whole documents are asked for and the index does not keep them, RecursionError
        where one is nested deeper than Python parses.
        """
        found: dict[str, list[Found]] = {}
        at_once = _WHOLE_IDS if whole else _IDS
        vectors = self._vectors if whole else frozenset()
        # A search for an empty id is refused; no document can have it.
        ids = [id_ for id_ in ids if id_]
        with translate_errors():
            self._client.indices.refresh(index=self._index)
        for start in range(0, len(ids), at_once):
            for hit in self._hits_of(ids[start : start + at_once], whole=whole):
                found.setdefault(hit["_id"], []).append(_found(hit, vectors, whole=whole))
        return found

    def _slice(self, point: _PointInTime, number: int, slices: int, rows: int) -> Iterator[Entry]:
        search: dict[str, Any] = {"sort": [{_KEY: "asc"}, {_HASH: "asc"}]}
        if slices > 1:
            search["slice"] = {"id": number, "max": slices}
        for hits in self._pages(point, search, rows):
            for hit in hits:
                # The key and the hash are what was sorted by: no field has to be fetched besides the id.
                key, hash_, *_ = hit["sort"]
                if key is None:
                    return  # documents without a key come last
                yield key, hash_, hit.get("_routing", ""), "" if hit["_id"] == key else hit["_id"]

    def _pages(self, point: _PointInTime, search: Mapping[str, Any], rows: int) -> Iterator[Sequence[Any]]:
        """Yield the hits of a sorted search, so many at a time."""
        body = {**search, "size": rows, "_source": False, "track_total_hits": False}
        while True:
            body["pit"] = {"id": point.id, "keep_alive": _KEEP_ALIVE}
            answer = self._ask("/_search", body, "pit_id,hits.hits._id,hits.hits._routing,hits.hits.sort")
            point.id = answer["pit_id"]
            hits = answer.get("hits", {}).get("hits", ())
            if hits:
                yield hits
            if len(hits) < rows:
                return
            body["search_after"] = hits[-1]["sort"]

    def _hits_of(self, ids: Sequence[str], *, whole: bool) -> Sequence[Any]:
        body = {"query": {"ids": {"values": list(ids)}}, "size": self._cut.page_most, "version": True}
        read = "hits.hits._id,hits.hits._routing,hits.hits._version,hits.hits._source"
        if not whole:
            answer = self._ask(f"/{self._index}/_search", {**body, "_source": [OWN_FIELD]}, read)
        else:
            with_vectors = {"_source_exclude_vectors": "false"} if self._excludes_vectors else {}
            answer = self._ask(f"/{self._index}/_search", body, read, with_vectors)
        hits: Sequence[Any] = answer.get("hits", {}).get("hits", ())
        return hits

    def _ask(self, path: str, body: Mapping[str, Any], read: str, params: Mapping[str, str] | None = None) -> Any:
        """Search, and return what is asked to be read of the answer. Raises SinkUnavailable for a part of one."""
        whole = {"allow_partial_search_results": "false", "filter_path": f"timed_out,_shards.failed,{read}"}
        with translate_errors():
            # Not the client's own method, which does not know every parameter.
            answer = self._client.perform_request(
                "POST", path, params={**whole, **(params or {})}, headers=_JSON, body=body
            ).body
        _prove_complete(answer)
        return answer

    @cached_property
    def _excludes_vectors(self) -> bool:
        return server_version(self._client) >= _EXCLUDES_VECTORS

    @cached_property
    def _vectors(self) -> frozenset[str]:
        """The fields that hold vectors, dotted. Raises ConfigurationError for an index that keeps no documents."""
        with translate_errors():
            found = self._client.indices.get(index=self._index, include_defaults=True).body[self._index]
        settings = [found.get(part, {}).get("index", {}).get("mapping", {}) for part in ("settings", "defaults")]
        modes = [mapping.get("source", {}).get("mode") for mapping in settings]
        mode = next((str(mode).lower() for mode in modes if mode), "stored")
        if mode != "stored":
            raise ConfigurationError(
                f"index {self._index} has mapping.source.mode = {mode}: it does not keep the documents as they were "
                "written, so that they cannot be compared",
                hint="verify without --deep",
            )
        return frozenset(_vector_fields(found["mappings"].get("properties", {})))

    @contextmanager
    def _point_in_time(self) -> Iterator[_PointInTime]:
        with translate_errors():
            self._client.indices.refresh(index=self._index)
            point = _PointInTime(self._client.open_point_in_time(index=self._index, keep_alive=_KEEP_ALIVE).body["id"])
        try:
            yield point
        finally:
            # It ends by itself, later.
            with suppress(ApiError, TransportError):
                self._client.close_point_in_time(id=point.id)


class _PointInTime:
    """The index as it was when this was opened; its id may change with every answer."""

    def __init__(self, id_: str) -> None:
        self.id = id_


def _vector_fields(properties: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, field in properties.items():
        if field.get("type") == _VECTOR_TYPE:
            yield prefix + name
        yield from _vector_fields(field.get("properties", {}), f"{prefix}{name}.")


def _found(hit: Mapping[str, Any], vectors: frozenset[str], *, whole: bool) -> Found:
    source = hit.get("_source") or {}
    own = source.get(OWN_FIELD)
    key, hash_ = (own.get("key"), own.get("hash")) if isinstance(own, Mapping) else (None, None)
    rest = {name: value for name, value in source.items() if name != OWN_FIELD} if whole else None
    return Found(hit.get("_routing", ""), hit["_version"], key, hash_, rest, vectors)


def _prove_complete(answer: Mapping[str, Any]) -> None:
    """Raise SinkUnavailable for an answer that some shard has no part in: what it lacks is not missing."""
    shards = answer.get("_shards", {})
    if answer.get("timed_out") or shards.get("failed") != 0:
        raise SinkUnavailable("elasticsearch: a search was answered for a part of the index alone")
