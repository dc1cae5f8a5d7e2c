"""Searches what an alias points to."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch

from syncer.adapters.elastic.error import cause, failure, translate_errors
from syncer.adapters.elastic.mapping import field_mapping
from syncer.core.error import ConfigurationError
from syncer.core.field import OWN_FIELD, Field, VectorField
from syncer.core.fusion import fuse
from syncer.core.hit import Hit, Mode

#: How many of the best of each ranking are fused, at least: what is 40th in both may be the best of all.
_WINDOW = 100

#: How much the other fields count beside the best one. (nDCG@10 on SciFact: 0.69.)
_TIE_BREAKER = 0.5


class ElasticSearcher:
    """Searches the documents of one pipeline. Safe for several threads."""

    def __init__(
        self,
        client: Elasticsearch,
        alias: str,
        fields: Sequence[Field],
        vectors: Sequence[VectorField],
        embed: Callable[[str], bytes] | None,
    ) -> None:
        """embed: as for documents; needed for vector and hybrid searches."""
        self._client = client
        self._alias = alias
        self._vectors = vectors
        self._embed = embed
        boosts = dict(_boosts(fields))
        leaves = list(_leaves({field.name: field_mapping(field) for field in fields}))
        self._texts = [f"{path}^{_boost(path, boosts)}" for path, kind, _ in leaves if kind == "text"]
        #: By name in a filter, the field that holds exact values.
        self._exact = {path: exact for path, _, exact in leaves if exact is not None}
        self._flattened = {path for path, kind, _ in leaves if kind == "flattened"}

    def search(
        self,
        text: str,
        *,
        mode: Mode,
        filters: Mapping[str, Sequence[str]] | None = None,
        size: int = 10,
    ) -> list[Hit]:
        """Return the best documents, best first. filters: field → values, one of which a document must have.

        Raises ConfigurationError for a filter on a field that has no exact values, and for a mode that the pipeline has
        no field for.
        """
        within = [{"terms": {self._exact_field(name): list(values)}} for name, values in (filters or {}).items()]
        searches: dict[Mode, dict[str, Any]]
        match mode:
            case Mode.KEYWORD:
                searches = {mode: self._keyword(text, within, size)}
            case Mode.VECTOR:
                searches = {mode: self._vector(text, within, size)}
            case Mode.HYBRID:
                window = max(size, _WINDOW)
                searches = {
                    Mode.KEYWORD: self._keyword(text, within, window),
                    Mode.VECTOR: self._vector(text, within, window),
                }
        return _ranked(self._ask(searches))[:size]

    def _keyword(self, text: str, within: Sequence[Any], size: int) -> dict[str, Any]:
        if not self._texts:
            raise ConfigurationError("the pipeline has no text field to search", hint="declare a field of type text")
        match = {"query": text, "fields": self._texts, "type": "best_fields", "tie_breaker": _TIE_BREAKER}
        return {"query": {"bool": {"must": [{"multi_match": match}], "filter": within}}, "size": size}

    def _vector(self, text: str, within: Sequence[Any], size: int) -> dict[str, Any]:
        if not self._vectors or self._embed is None:
            raise ConfigurationError(
                "the pipeline has no embedding, so that only its words can be searched",
                hint="search with --mode keyword, or configure embedding",
            )
        vector = self._embed(text)
        query = struct.unpack(f"<{len(vector) // 4}f", vector)
        nearest = {"query_vector": query, "k": size, "num_candidates": max(2 * size, _WINDOW), "filter": within}
        # Of several fields the scores are added up: a document counts for all that it is near with.
        return {"knn": [{"field": field.path, **nearest} for field in self._vectors], "size": size}

    def _ask(self, searches: Mapping[Mode, dict[str, Any]]) -> dict[Mode, list[dict[str, Any]]]:
        """Return the hits of each search, all in one request."""
        without = {"_source": {"excludes": [OWN_FIELD, *(field.name for field in self._vectors)]}}
        lines = [line for body in searches.values() for line in ({}, body | without)]
        with translate_errors():
            answers = self._client.msearch(index=self._alias, searches=lines).body["responses"]
        for answer in answers:
            if "error" in answer:
                raise failure(answer["status"], *cause(answer))
        return {mode: answer["hits"]["hits"] for mode, answer in zip(searches, answers, strict=True)}

    def _exact_field(self, name: str) -> str:
        if name in self._exact:
            return self._exact[name]
        if any(name.startswith(f"{path}.") for path in self._flattened):
            return name
        raise ConfigurationError(
            f"cannot filter on {name!r}; there is {', '.join(sorted(self._exact)) or 'no field to filter on'}",
            hint="an analysed text has exact values with `keyword: true`",
        )


def _ranked(found: Mapping[Mode, Sequence[Mapping[str, Any]]]) -> list[Hit]:
    by_id = {hit["_id"]: hit for hits in found.values() for hit in hits}
    ranks: dict[str, dict[str, int]] = {name: {} for name in by_id}
    for mode, hits in found.items():
        for rank, hit in enumerate(hits, start=1):
            ranks[hit["_id"]][mode.value] = rank
    if len(found) == 1:
        scores = [(name, float(hit["_score"])) for name, hit in by_id.items()]
    else:
        scores = fuse([[hit["_id"] for hit in hits] for hits in found.values()])
    return [Hit(name, score, by_id[name].get("_source", {}), ranks[name]) for name, score in scores]


def _boosts(fields: Sequence[Field], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the weight of each field by its path."""
    for field in fields:
        yield f"{prefix}{field.name}", field.boost
        if field.related:
            yield from _boosts(field.related.fields, f"{prefix}{field.name}.")


def _boost(path: str, boosts: Mapping[str, float]) -> float:
    """Return the weight of what is declared nearest around it, for `properties` have none of their own."""
    while path not in boosts:
        path = path.rpartition(".")[0]
    return boosts[path]


def _leaves(properties: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str | None]]:
    """Yield path, type, and the path of the exact values if there are any, of all that one query can reach."""
    for name, declared in properties.items():
        path, kind = f"{prefix}{name}", declared.get("type", "object")
        if kind == "nested" or declared.get("enabled") is False:
            continue
        if "properties" in declared:
            yield from _leaves(declared["properties"], f"{path}.")
        elif kind == "text":
            yield path, kind, f"{path}.keyword" if "keyword" in declared.get("fields", {}) else None
        else:
            yield path, kind, path
