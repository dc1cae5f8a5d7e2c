"""How alike the vectors of two backends are."""

from __future__ import annotations

import math
import struct

import pytest

from syncer.adapters.embedding.agreement import agreement
from syncer.core.outcome import Rejected

REJECTED = Rejected("no_vector", "none")


def vector(degrees: float) -> bytes:
    return struct.pack("<2f", math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


def test_the_same_vectors_agree() -> None:
    """Whatever neighbours they have."""
    vectors = [vector(degrees) for degrees in range(0, 60, 3)]
    found = agreement(vectors, vectors)
    assert found is not None
    assert (found.cosine_mean, found.cosine_min, found.neighbours) == pytest.approx((1, 1, 1))


def test_a_text_that_moves_has_other_neighbours() -> None:
    """Not among its own, for nobody is a neighbour of himself; what either side has no vector of does not count."""
    before: list[bytes | Rejected] = [vector(0), vector(10), vector(90), REJECTED, vector(7)]
    after: list[bytes | Rejected] = [vector(0), vector(80), vector(90), vector(7), REJECTED]
    found = agreement(after, before, neighbours=1)
    assert found is not None
    moved = math.cos(math.radians(70))
    assert (found.cosine_mean, found.cosine_min) == pytest.approx(((2 + moved) / 3, moved))
    # The second one was nearest to the first, and is to the third.
    assert found.neighbours == pytest.approx(2 / 3)
    assert agreement([REJECTED], [vector(0)]) is None
