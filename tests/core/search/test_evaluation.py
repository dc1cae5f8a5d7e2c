"""Figures of rankings, against those worked out by hand and by another program."""

from __future__ import annotations

import math

import pytest

from syncer.core.search.evaluation import Quality, is_judged, mean_quality, quality


def at(rank: int) -> list[str]:
    """Return a ranking with the relevant document there."""
    return [f"other {number}" for number in range(1, rank)] + ["a"]


def test_grades_are_gained_by_rank() -> None:
    """By hand: a=2, b=1 ranked as x b a. Gained 1/log2(3) + 3/log2(4) = 2.130930, at best 3 + 1/log2(3) = 3.630930."""
    found = quality(["x", "b", "a"], {"a": 2, "b": 1, "c": 0})
    assert found.ndcg == pytest.approx(2.1309298 / 3.6309298)
    assert (found.recall, found.reciprocal_rank) == (1.0, 0.5)


def test_what_is_not_found_lowers_the_share() -> None:
    """By hand: three relevant documents, of which the second rank holds one: (1/log2(3)) / (1 + 1/log2(3) + 1/2)."""
    found = quality(["x", "b"], {"a": 1, "b": 1, "c": 1})
    assert found.ndcg == pytest.approx(0.6309298 / 2.1309298)
    assert (found.recall, found.reciprocal_rank) == (1 / 3, 0.5)


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        (1, Quality(1.0, 1.0, 1.0)),
        (10, Quality(1 / math.log2(11), 1.0, 0.1)),
        (11, Quality(0.0, 1.0, 0.0)),
        (100, Quality(0.0, 1.0, 0.0)),
        (101, Quality(0.0, 0.0, 0.0)),
    ],
)
def test_figures_look_so_far_down(rank: int, expected: Quality) -> None:
    """nDCG and MRR at the first ten, recall at the first hundred."""
    assert quality(at(rank), {"a": 1}) == expected


def test_at_best_is_the_best_of_ten() -> None:
    """More relevant documents than fit on the page: a page full of them cannot be better."""
    many = {str(number): 1 for number in range(12)}
    found = quality([str(number) for number in range(10)], many)
    assert (found.ndcg, found.recall) == (1.0, 10 / 12)


def test_a_bad_grade_is_as_none() -> None:
    """Collections mark spam below 0."""
    assert quality(["spam", "a"], {"spam": -2, "a": 1}) == quality(["unjudged", "a"], {"a": 1})
    assert not is_judged({"spam": -2, "b": 0})
    assert is_judged({"spam": -2, "b": 1})


def test_an_empty_ranking_is_worth_nothing() -> None:
    """A search may find nothing."""
    assert quality([], {"a": 1}) == Quality(0.0, 0.0, 0.0)


def test_figures_agree_with_another_program() -> None:
    """The mean of three queries, as a program that was checked with pytrec_eval and ir-measures has it."""
    grades: list[dict[str, int]] = [
        {"d1": 3, "d4": 1, "d7": 2, "d9": 0},
        {"d2": 1, "d3": 1, "d5": 1, "d8": 1},
        {"d6": 2},
    ]
    rankings = [
        ["d9", "d4", "d2", "d1", "d5", "d6", "d3"],
        ["d3", "d1", "d5", "d9", "d2", "d4", "d6", "d7"],
        ["d1", "d2", "d3", "d4", "d5", "d7", "d8", "d9", "x1", "x2", "x3", "d6"],
    ]
    found = mean_quality([quality(ranking, of) for ranking, of in zip(rankings, grades, strict=True)])
    figures = (found.ndcg, found.recall, found.reciprocal_rank)
    assert figures == pytest.approx((0.3749081, 0.8055556, 0.5), abs=1e-7)
