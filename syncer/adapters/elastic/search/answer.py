"""What searches answer, as results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncer.core.search.result import Hit

Answer = Mapping[str, Any]


def hits_of(answer: Answer) -> Sequence[Mapping[str, Any]]:
    """Return the hits of one search."""
    found: Sequence[Mapping[str, Any]] = answer["hits"]["hits"]
    return found


def total_of(answer: Answer) -> tuple[int, bool]:
    """Return how many documents match, and whether that is exact."""
    total = answer["hits"]["total"]
    return int(total["value"]), total["relation"] == "eq"


def hit_of(
    found: Mapping[str, Any],
    score: float | None,
    ranks: Mapping[str, int],
    explanations: Mapping[str, Any] | None = None,
) -> Hit:
    """Return a hit with what its document and the words in it are."""
    return Hit(found["_id"], score, found.get("_source", {}), ranks, found.get("highlight", {}), explanations or {})


def ranked(answer: Answer, ranking: str, before: int) -> list[Hit]:
    """Return the hits of a single ranking; before: those on the pages before."""
    return [
        hit_of(
            found,
            found["_score"],
            {ranking: rank},
            {ranking: found["_explanation"]} if "_explanation" in found else None,
        )
        for rank, found in enumerate(hits_of(answer), start=before + 1)
    ]
