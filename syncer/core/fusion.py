"""Reciprocal rank fusion: one ranking out of several, without comparing their scores."""

from __future__ import annotations

from collections.abc import Sequence

#: The constant of Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
#: Learning Methods" (SIGIR 2009), which is also the default of Elasticsearch's own `rrf` retriever.
RANK_CONSTANT = 60


def fuse(rankings: Sequence[Sequence[str]], k: int = RANK_CONSTANT) -> list[tuple[str, float]]:
    """Return ids with their fused score, best first: the sum of `1 / (k + rank)` over the rankings that hold them.

    Ranks count from 1. Ties keep the order of the first ranking that names the id.
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, document in enumerate(ranking, start=1):
            scores[document] = scores.get(document, 0.0) + 1.0 / (k + rank)
    return sorted(scores.items(), key=lambda item: -item[1])
