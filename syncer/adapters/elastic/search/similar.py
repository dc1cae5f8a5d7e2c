"""What is like a document: what to ask of it, and what to look for then."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from syncer.adapters.elastic.search.declared import Declared
from syncer.adapters.elastic.search.rankings import ranking_names
from syncer.core.vector import PIECE_FIELD

#: Words of the document that are looked for: those that tell it best from others.
_TERMS_MAX = 25


def vectors_shown(declared: Declared) -> dict[str, Any]:
    """Return the part of a body that has a document's vectors sent.

    Not by `_source`, from which servers since 9.2 leave them out, in a way that older ones do not understand.
    """
    return {"_source": False, "fields": [field.path for field in declared.vectors]}


def vectors_of(hit: Mapping[str, Any], declared: Declared) -> dict[str, Sequence[float]]:
    """Return a document's vectors by the names of their rankings; of a text in pieces the mean of theirs."""
    fields = hit.get("fields", {})
    found: dict[str, Sequence[float]] = {}
    for name, field in ranking_names(declared.vectors).items():
        values = fields.get(field.name) or []
        if field.nested:
            values = _mean([piece[PIECE_FIELD] for piece in values if piece.get(PIECE_FIELD)])
        if values:
            found[name] = values
    return found


def like_words(hit: Mapping[str, Any], declared: Declared) -> dict[str, Any]:
    """Return the query for what has the words of a document, without itself."""
    this = {"_index": hit["_index"], "_id": hit["_id"]}
    if "_routing" in hit:
        this["routing"] = hit["_routing"]
    return {
        "more_like_this": {
            "fields": list(declared.texts),
            "like": [this],
            "min_term_freq": 1,
            "min_doc_freq": 1,
            "max_query_terms": _TERMS_MAX,
        }
    }


def _mean(vectors: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean of vectors, of length one, as some similarities want it."""
    sums = [sum(numbers) for numbers in zip(*vectors, strict=True)]
    length = math.sqrt(sum(number * number for number in sums))
    return [number / length for number in sums] if length else []
