"""Reciprocal rank fusion: one ranking out of several, without comparing their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: What is first in one ranking and missing in the other is worth what is seventh in both. With 60, the constant of
#: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods"
#: (SIGIR 2009) and default of Elasticsearch's own `rrf` retriever, it would be 62nd in both: right for many rankings of
#: much the same quality, but of two it lets the worse one spoil the better one. docs/search.md has figures.
RANK_CONSTANT = 5


@dataclass(frozen=True, slots=True)
class Fusion:
    """How the rankings of a hybrid search become one."""

    #: What is added to each rank: the smaller, the more the first ranks count.
    k: int = RANK_CONSTANT
    #: How many of the best of each ranking are fused: what is 40th in both may be the best of all.
    window: int = 100
    #: Weight of the ranking by words.
    keyword: float = 1.0
    #: Weight of the ranking by meaning; of several vector fields each has an equal share.
    vector: float = 1.0

    def share(self, fields: int) -> float:
        """Return the weight of the ranking by one of so many vector fields."""
        return self.vector / max(1, fields)


def fuse(
    rankings: Sequence[Sequence[str]], k: int = RANK_CONSTANT, weights: Sequence[float] | None = None
) -> list[tuple[str, float]]:
    """Return ids with their fused score, best first: the sum of `weight / (k + rank)` over the rankings that hold them.

    Ranks count from 1; without weights all are 1. Ties keep the order of the first ranking that names the id.
    """
    scores: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for rank, document in enumerate(ranking, start=1):
            scores[document] = scores.get(document, 0.0) + weight / (k + rank)
    return sorted(scores.items(), key=lambda item: -item[1])
