"""How alike the vectors are that two backends make of the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncer.core.outcome import Rejected

#: Texts whose neighbours are looked up at once: a square of all would be too large.
_ROWS = 500


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of each text with itself, and of its neighbourhood."""

    cosine_mean: float
    cosine_min: float
    #: The share of its ten nearest texts that are the same.
    neighbours: float


def agreement(
    of: Sequence[bytes | Rejected], reference: Sequence[bytes | Rejected], neighbours: int = 10
) -> Agreement | None:
    """Compare unit vectors, by text in the same order, where both sides have one; None: nowhere."""
    import numpy

    pairs = [(a, b) for a, b in zip(of, reference, strict=True) if isinstance(a, bytes) and isinstance(b, bytes)]
    if not pairs:
        return None
    one, other = (numpy.frombuffer(b"".join(side), "<f4").reshape(len(pairs), -1) for side in zip(*pairs, strict=True))
    cosines = (one * other).sum(axis=1)
    count = min(neighbours, len(one) - 1)
    shared = 0
    for start in range(0, len(one), _ROWS) if count else ():
        near = []
        for vectors in (one, other):
            scores = vectors[start : start + _ROWS] @ vectors.T
            scores[numpy.arange(len(scores)), numpy.arange(start, start + len(scores))] = -numpy.inf
            near.append(numpy.argpartition(-scores, count - 1, axis=1)[:, :count])
        shared += sum(len(numpy.intersect1d(mine, theirs)) for mine, theirs in zip(*near, strict=True))
    return Agreement(float(cosines.mean()), float(cosines.min()), float(shared / (len(one) * count)) if count else 1.0)
