"""What a search may ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncer.core.error import RequestInvalid
from syncer.core.search.condition import Exists, Not, OneOf
from syncer.core.search.facet import TermsFacet
from syncer.core.search.fusion import Fusion
from syncer.core.search.limit import prove_bounds
from syncer.core.search.request import Request, Sort, Words

LARGEST = Request(
    "x" * 2_000,
    words=Words(fields=("f",) * 100),
    fusion=Fusion(k=10_000, window=1_000, keyword=0),
    conditions=(OneOf((Exists("f"),) * 95), Not(Not(Not(Exists("f"))))),
    sort=(Sort("f"),) * 8,
    size=1_000,
    offset=9_000,
    facets={str(number): TermsFacet("f", 1_000) for number in range(20)},
    highlight=("f",) * 100,
    fields=("f",) * 100,
    routing="r" * 512,
)


def test_the_largest_request_and_the_least_are_taken() -> None:
    """Whether its fields exist is not asked here."""
    prove_bounds(LARGEST)
    prove_bounds(Request(size=0, fields=(), fusion=Fusion(k=1, window=1)))


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("text", {"text": "x" * 2_001}),
        ("words.fields", {"words": Words(fields=("f",) * 101)}),
        ("fusion.k", {"fusion": Fusion(k=0)}),
        ("fusion.k", {"fusion": Fusion(k=10_001)}),
        ("fusion.window", {"fusion": Fusion(window=1_001)}),
        ("fusion.keyword", {"fusion": Fusion(keyword=-1)}),
        ("fusion.vector", {"fusion": Fusion(vector=float("nan"))}),
        ("fusion.vector", {"fusion": Fusion(keyword=0, vector=0)}),
        ("conditions", {"conditions": (*LARGEST.conditions, Exists("f"))}),
        ("sort", {"sort": (Sort("f"),) * 9}),
        ("size", {"size": 1_001, "offset": 0}),
        ("offset", {"offset": 9_001}),
        ("facets", {"facets": {str(number): TermsFacet("f") for number in range(21)}}),
        ("highlight", {"highlight": ("f",) * 101}),
        ("fields", {"fields": ("f",) * 101}),
        ("routing", {"routing": "r" * 513}),
    ],
)
def test_more_is_refused_by_name(part: str, change: dict[str, Any]) -> None:
    """One more of anything."""
    with pytest.raises(RequestInvalid) as refused:
        prove_bounds(replace(LARGEST, **change))
    assert refused.value.part == part
