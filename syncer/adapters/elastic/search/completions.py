"""Texts that go on as somebody has begun to type."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from syncer.adapters.elastic.search.answer import Answer, hits_of
from syncer.adapters.elastic.search.body import matching
from syncer.adapters.elastic.search.conditions import filters
from syncer.adapters.elastic.search.declared import Declared
from syncer.core.error import RequestInvalid
from syncer.core.search.condition import Condition
from syncer.core.search.limit import COMPLETIONS_MAX, TEXT_MAX
from syncer.core.search.path import values_at
from syncer.core.search.result import Completion

#: Documents that are looked at for one completion: several may have the same text.
_EACH, _LEAST = 5, 50
#: As the index cuts them.
_WORD = re.compile(r"[^\W_]+")


def completion_bodies(
    text: str, field: str | None, size: int, conditions: Sequence[Condition], declared: Declared
) -> dict[str, dict[str, Any]]:
    """Return a search for each field that completes the text. Raises RequestInvalid."""
    if not 1 <= size <= COMPLETIONS_MAX:
        raise RequestInvalid("size", f"is {size:,}, and must be from 1 to {COMPLETIONS_MAX}")
    if len(text) > TEXT_MAX:
        raise RequestInvalid("text", f"has {len(text):,} characters, and at most {TEXT_MAX:,} are taken")
    leaves, within = declared.completed(field), filters(conditions, declared)
    if not text.strip():
        return {}
    return {
        leaf.path: {
            "query": matching(
                {"match": {f"{leaf.path}.autocomplete": {"query": text, "operator": "and", "boost": leaf.boost}}},
                within,
            ),
            "size": max(_LEAST, _EACH * size),
            "_source": [leaf.path],
            "track_total_hits": False,
        }
        for leaf in leaves
    }


def completions(text: str, size: int, answers: Mapping[str, Answer]) -> list[Completion]:
    """Return the best completions: those that begin with the text itself first, of each text one."""
    typed = _WORD.findall(text.lower())
    found: dict[str, tuple[bool, float, Completion]] = {}
    for path, answer in answers.items():
        for hit in hits_of(answer):
            for value in values_at(path, hit["_source"]):
                if not isinstance(value, str) or value in found or not _goes_on(value, typed):
                    continue
                begins = value.lower().startswith(text.strip().lower())
                found[value] = (begins, hit["_score"], Completion(hit["_id"], path, value))
    best = sorted(found.values(), key=lambda each: (not each[0], -each[1]))
    return [completion for _, _, completion in best[:size]]


def _goes_on(value: str, typed: Sequence[str]) -> bool:
    """Tell whether each typed word begins one of a value: of several values, the document was found for some."""
    words = _WORD.findall(value.lower())
    return all(any(word.startswith(begun) for word in words) for begun in typed)
