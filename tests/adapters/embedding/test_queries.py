"""Queries that are embedded together."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest

from syncer.adapters.embedding.sentence import SentenceEmbedder
from syncer.core.error import FatalError
from syncer.core.outcome import Rejected
from tests.adapters.embedding.conftest import POISON


def test_queries_together_have_the_vectors_they_have_alone(tiny: Path) -> None:
    """With the prompt of queries; one that has none does not take it from the others."""
    model = SentenceEmbedder(str(tiny), query="query: ", passage="passage: ")
    texts = ["a text", "another, somewhat longer text", POISON, "a text"]
    found = model.embed_queries(texts)
    assert isinstance(found[2], Rejected)
    with pytest.raises(FatalError):
        model.embed_query(POISON)
    for text, vector in zip(texts, found, strict=True):
        if isinstance(vector, bytes):
            # The order of additions differs with the length of a pass.
            assert near(vector, model.embed_query(text))
    assert isinstance(found[0], bytes)
    (passage,) = model.embed(["a text"]).vectors
    assert isinstance(passage, bytes)
    assert not near(found[0], passage)


def near(one: bytes, other: bytes) -> bool:
    form = f"<{len(one) // 4}f"
    return math.dist(struct.unpack(form, one), struct.unpack(form, other)) < 1e-5
