"""How good rankings are, by documents that people have judged; what nobody has judged counts as irrelevant.

nDCG is that of Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (TOIS 2002), with the gain
`2^grade - 1` and the discount `log2(rank + 1)` of Burges et al., "Learning to Rank using Gradient Descent" (ICML 2005).
MRR is that of Voorhees, "The TREC-8 Question Answering Track Report" (1999); what is not among the first ten counts 0.
Where all grades are 0 or 1 the figures are those of trec_eval, and so of BEIR and MTEB.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

#: How far down a ranking nDCG and MRR look: a page of results.
PAGE = 10
#: And recall: what a better ranking of the same documents could still bring up.
DEPTH = 100

#: By document; above 0: it is relevant.
Grades = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one ranking, or the mean of several; all figures from 0 to 1."""

    #: How near the first ten are to the best order that there could be.
    ndcg: float
    #: The share of the relevant documents that are among the first hundred.
    recall: float
    #: One by the rank of the first relevant document; 0: it is not among the first ten.
    reciprocal_rank: float


def is_judged(grades: Grades) -> bool:
    """Tell whether any document is relevant: for no other query can a ranking be good or bad."""
    return any(grade > 0 for grade in grades.values())


def quality(ranking: Sequence[str], grades: Grades) -> Quality:
    """Return how good one ranking is, of ids that differ, best first, for a query that is judged."""
    relevant = {document for document, grade in grades.items() if grade > 0}
    ideal = sorted(grades.values(), reverse=True)[:PAGE]
    found = [grades.get(document, 0) for document in ranking[:PAGE]]
    return Quality(
        ndcg=_gain(found) / _gain(ideal),
        recall=sum(document in relevant for document in ranking[:DEPTH]) / len(relevant),
        reciprocal_rank=next((1 / rank for rank, grade in enumerate(found, start=1) if grade > 0), 0.0),
    )


def mean_quality(qualities: Collection[Quality]) -> Quality:
    """Return the mean over queries, at least one."""
    return Quality(
        ndcg=math.fsum(each.ndcg for each in qualities) / len(qualities),
        recall=math.fsum(each.recall for each in qualities) / len(qualities),
        reciprocal_rank=math.fsum(each.reciprocal_rank for each in qualities) / len(qualities),
    )


def _gain(grades: Sequence[int]) -> float:
    return math.fsum((2.0 ** max(grade, 0) - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))
