"""Reciprocal rank fusion."""

from __future__ import annotations

import pytest

from syncer.core.search.fusion import fuse


def test_a_document_high_in_both_rankings_comes_first() -> None:
    """Its score is the sum of the reciprocals of rank plus k."""
    fused = fuse([["a", "b", "c"], ["b", "d"]], k=60)
    assert [document for document, _ in fused] == ["b", "a", "d", "c"]
    assert fused[0][1] == pytest.approx(1 / 62 + 1 / 61)
    assert fused[1][1] == pytest.approx(1 / 61)


def test_the_first_of_one_ranking_counts_as_the_seventh_of_both() -> None:
    """By itself: the page of a good ranking is not filled with what both think little of."""
    both = [f"both {rank}" for rank in range(2, 10)]
    fused = [document for document, _ in fuse([["words", *both], ["meaning", *both]])]
    assert fused[:5] == both[:5]
    assert set(fused[5:8]) == {"words", "meaning", "both 7"}
    assert fused[8:] == both[6:]


def test_nothing_fuses_to_nothing() -> None:
    """Empty rankings are allowed."""
    assert fuse([[], []]) == []
