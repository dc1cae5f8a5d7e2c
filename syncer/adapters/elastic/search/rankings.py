"""The rankings that a search by meaning, or by both, is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncer.adapters.elastic.search.body import matching, nearest
from syncer.core.field import OWN_FIELD, VectorField
from syncer.core.search.request import SCORE, Mode, Request

_KEY = f"{OWN_FIELD}.key"

#: What has a search return the ids of its hits and nothing else. A document's key is its id too, and unlike that it is
#: read without the document: of a hundred that takes two thirds of the time.
IDS: Mapping[str, Any] = {
    "sort": [{SCORE: {"order": "desc"}}, {_KEY: {"order": "asc"}}],
    "_source": False,
    "stored_fields": "_none_",
    "track_total_hits": False,
}

Vector = bytes | Sequence[float]


def id_of(hit: Mapping[str, Any]) -> str:
    """Return the id of a hit of a search with IDS."""
    # noida tells it all the same.
    return str(hit.get("_id") or hit["sort"][-1])


def ranking_names(vectors: Sequence[VectorField]) -> dict[str, VectorField]:
    """Return the rankings of vector fields by name: that of the only one is called like the mode."""
    if len(vectors) == 1:
        return {Mode.VECTOR.value: vectors[0]}
    return {f"{Mode.VECTOR}.{field.name}": field for field in vectors}


class Rankings:
    """The rankings that a search fuses."""

    def __init__(
        self,
        request: Request,
        vectors: Mapping[str, Vector],
        fields: Mapping[str, VectorField],
        words: Mapping[str, Any] | None,
    ) -> None:
        self._k, self._window = request.fusion.k, request.fusion.window
        self._vectors = vectors
        self._words = words
        self.fields = fields
        share = request.fusion.share(len(fields))
        self.weights = {Mode.KEYWORD.value: request.fusion.keyword, **dict.fromkeys(fields, share)}

    def nearest(self, within: Sequence[Any]) -> list[dict[str, Any]]:
        """Return what looks for the nearest vectors of each field."""
        return [nearest(field, self._vectors[name], within, self._window) for name, field in self.fields.items()]

    def bodies(self, within: Sequence[Any]) -> dict[str, dict[str, Any]]:
        """Return the search of each ranking by its name."""
        nearest_ = zip(self.fields, self.nearest(within), strict=True)
        words = {} if self._words is None else {Mode.KEYWORD.value: {"query": matching(self._words, within)}}
        return {**words, **{name: {"knn": part} for name, part in nearest_}}

    def by_server(self, within: Sequence[Any]) -> dict[str, Any] | None:
        """Return the search that has Elasticsearch fuse them; None: it could not do it alike, for it has no weights."""
        if self._words is None or len(self.fields) != 1 or len(set(self.weights.values())) != 1:
            return None
        retrievers = [
            {"standard": {"query": matching(self._words, within)}},
            *({"knn": part} for part in self.nearest(within)),
        ]
        fused = {"retrievers": retrievers, "rank_constant": self._k, "rank_window_size": self._window}
        return {"retriever": {"rrf": fused}}
