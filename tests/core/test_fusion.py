"""Reciprocal rank fusion."""

from __future__ import annotations

import pytest

from syncer.core.fusion import fuse


def test_a_document_high_in_both_rankings_comes_first() -> None:
    """Its score is the sum of the reciprocals of rank plus k."""
    fused = fuse([["a", "b", "c"], ["b", "d"]])
    assert [document for document, _ in fused] == ["b", "a", "d", "c"]
    assert fused[0][1] == pytest.approx(1 / 62 + 1 / 61)
    assert fused[1][1] == pytest.approx(1 / 61)


def test_nothing_fuses_to_nothing() -> None:
    """Empty rankings are allowed."""
    assert fuse([[], []]) == []
