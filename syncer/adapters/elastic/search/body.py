"""The parts of the bodies of searches."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from syncer.adapters.elastic.search.declared import Declared
from syncer.core.error import RequestInvalid
from syncer.core.field import OWN_FIELD, VectorField
from syncer.core.search.request import SCORE, Match, Request, Sort, Words

#: How much the other fields count beside the best one; docs/search.md has figures.
_TIE_BREAKER = 0.3
#: Documents are counted up to here: counting more would have each one scored.
COUNTED_MAX = 10_000
#: Candidates that each shard looks at for one that is asked for, and how many at least.
_CANDIDATES, _CANDIDATES_MIN, _CANDIDATES_MAX = 2, 100, 10_000
#: Pieces of a text that are shown, and their length in characters.
_PIECES, _PIECE_CHARACTERS = 3, 150
#: Longer texts are marked up to here; the server refuses more.
_MARKED_MAX = 1_000_000

#: Characters of the query times fields times documents, up to which words that are alike are marked too: the server
#: looks through each text for each word anew, which takes a second of it.
_INEXACTLY_MARKED = 2_000

_FUZZINESS = re.compile(r"[012]|AUTO(:\d,\d{1,2})?", re.IGNORECASE)
_LEAST = r"-?\d{1,3}%?"
_MINIMUM = re.compile(rf"{_LEAST}|\d{{1,3}}<{_LEAST}( \d{{1,3}}<{_LEAST}){{0,9}}")

MATCH_ALL: Mapping[str, Any] = {"match_all": {}}


def words_query(text: str, words: Words, declared: Declared) -> dict[str, Any]:
    """Return the query for the words of a text. Raises RequestInvalid."""
    if not declared.texts:
        raise RequestInvalid("text", "the pipeline has no text field to search", hint="declare a field of type text")
    named = [declared.text(f"words.fields.{n}", path) for n, path in enumerate(words.fields)]
    fields = [f"{leaf.path}^{leaf.boost}" for leaf in named or declared.texts.values()]
    match: dict[str, Any] = {"query": text, "fields": fields, "type": words.match.value}
    if words.match is not Match.MOST_FIELDS:
        match["tie_breaker"] = _TIE_BREAKER
    if words.fuzziness is not None:
        if not _FUZZINESS.fullmatch(words.fuzziness):
            raise RequestInvalid("words.fuzziness", f"{words.fuzziness!r} is not 0, 1, 2 or AUTO")
        if words.match in {Match.CROSS_FIELDS, Match.PHRASE}:
            raise RequestInvalid(
                "words.fuzziness",
                f"words are not matched inexactly with {words.match}",
                hint="choose best_fields or most_fields",
            )
        match["fuzziness"] = words.fuzziness.upper()
    if words.minimum_should_match is not None:
        if not _MINIMUM.fullmatch(words.minimum_should_match):
            raise RequestInvalid(
                "words.minimum_should_match",
                f"{words.minimum_should_match!r} is no number of words",
                hint="write 2, -1, 75% or 3<90%",
            )
        match["minimum_should_match"] = words.minimum_should_match
    return {"multi_match": match}


def matching(query: Mapping[str, Any] | None, within: Sequence[Any]) -> dict[str, Any]:
    """Return the query for what is within the filters; None: all of it."""
    return {"bool": {"must": [query or MATCH_ALL], "filter": list(within)}}


def nearest(field: VectorField, vector: bytes | Sequence[float], within: Sequence[Any], size: int) -> dict[str, Any]:
    """Return the part of a body that looks for the nearest vectors within the filters, not before them."""
    query = struct.unpack(f"<{len(vector) // 4}f", vector) if isinstance(vector, bytes) else vector
    within = list(within)
    if within and field.index == "flat":
        # Elasticsearch 9.4 takes whatever is within the filters for near there, also without a vector.
        exists = {"exists": {"field": field.path}}
        within.append({"nested": {"path": field.name, "query": exists}} if field.nested else exists)
    candidates = min(_CANDIDATES_MAX, max(_CANDIDATES * size, _CANDIDATES_MIN))
    return {
        "field": field.path,
        "query_vector": list(query),
        "k": size,
        "num_candidates": candidates,
        "filter": within,
    }


def source(fields: Sequence[str] | None, declared: Declared) -> dict[str, Any] | bool:
    """Return what of documents to send. Raises RequestInvalid."""
    excludes = [OWN_FIELD, *(vector.name for vector in declared.vectors)]
    if fields is None:
        return {"excludes": excludes}
    includes = [declared.returned(f"fields.{n}", path) for n, path in enumerate(fields)]
    return {"includes": includes, "excludes": excludes} if includes else False


def highlight(request: Request, declared: Declared) -> dict[str, Any]:
    """Return the part of a body that has words marked, if there is something to mark. Raises RequestInvalid."""
    paths = [declared.text(f"highlight.{n}", path).path for n, path in enumerate(request.highlight)]
    if not paths or not request.text.strip():
        return {}
    # Not by the search's own query: its filters would be marked too, and of a search by meaning nothing.
    phrase = request.words.match is Match.PHRASE
    match = Match.PHRASE if phrase else Match.BEST_FIELDS
    cost = len(request.text) * len(paths) * request.size
    inexact = not phrase and cost <= _INEXACTLY_MARKED
    words = Words(match, tuple(paths), request.words.fuzziness if inexact else None)
    query = words_query(request.text, words, declared)
    asked = {
        "highlight_query": query,
        "encoder": "html",
        "pre_tags": ["<mark>"],
        "post_tags": ["</mark>"],
        "number_of_fragments": _PIECES,
        "fragment_size": _PIECE_CHARACTERS,
        "max_analyzed_offset": _MARKED_MAX,
        "fields": {path: {} for path in paths},
    }
    return {"highlight": asked}


def order(sort: Sequence[Sort], declared: Declared, tie: str) -> list[dict[str, Any]]:
    """Return what to sort by; tie: what decides where all else is equal, so that pages do not overlap."""
    orders: list[dict[str, Any]] = []
    for number, by in enumerate(sort or (Sort(SCORE, descending=True),)):
        direction = "desc" if by.descending else "asc"
        if by.field == SCORE:
            orders.append({SCORE: {"order": direction}})
        else:
            leaf = declared.single(f"sort.{number}.field", by.field, purpose="sorted by")
            orders.append({str(leaf.exact): {"order": direction, "missing": "_last"}})
    return [*orders, {tie: {"order": "asc"}}]
