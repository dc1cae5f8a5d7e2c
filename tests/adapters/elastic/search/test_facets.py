"""Facets: counts of what is found, by the values of fields."""

from __future__ import annotations

import pytest

from syncer.adapters.elastic.search.searched import Searched
from syncer.core.error import RequestInvalid
from syncer.core.search.condition import Condition, Not, OneOf, Range, Term
from syncer.core.search.facet import Bucket, DateFacet, Facet, RangeFacet, TermsFacet
from syncer.core.search.fusion import Fusion
from syncer.core.search.request import Mode, Request
from syncer.ports import Searcher
from tests.adapters.elastic.search.conftest import Open


def counts(searcher: Searcher, facet: Facet, *conditions: Condition, text: str = "") -> dict[object, int]:
    result = searcher.search(Request(text, conditions=conditions, facets={"f": facet}, size=0))
    assert result.hits == []
    return {bucket.value: bucket.count for bucket in result.facets["f"]}


def test_terms_are_counted_commonest_first(searcher: Searcher) -> None:
    """As the values that a condition on the field takes."""
    facets = {
        "tags": TermsFacet("tags"),
        "one year": TermsFacet("year", size=1),
        "free": TermsFacet("free"),
        "wood": TermsFacet("attributes.wood"),
    }
    found = searcher.search(Request(facets=facets)).facets
    assert {name: [(one.value, one.count) for one in buckets] for name, buckets in found.items()} == {
        "tags": [("water", 2), ("works", 2)],
        "one year": [(2002, 2)],
        "free": [(False, 1), (True, 1)],
        "wood": [("hard", 1)],
    }
    for name, field in (("tags", "tags"), ("one year", "year"), ("free", "free")):
        for bucket in found[name]:
            assert searcher.search(Request(conditions=(Term(field, (bucket.value,)),))).total == bucket.count


@pytest.mark.usefixtures("real_elastic")
def test_a_moment_is_counted_as_it_is_filtered_by(searcher: Searcher) -> None:
    """A text, as in the document."""
    assert counts(searcher, TermsFacet("seen", size=1)) == {"2024-01-31T10:00:00Z": 1}
    assert searcher.search(Request(conditions=(Term("seen", ("2024-01-31T10:00:00Z",)),))).total == 1


def test_dates_are_counted_by_the_calendar(searcher: Searcher) -> None:
    """In order, without what is empty, and with bounds to filter by."""
    facets = {interval: DateFacet("seen", interval) for interval in ("month", "quarter", "year", "day", "hour")}
    found = searcher.search(Request(facets=facets)).facets
    assert found["month"] == [
        Bucket("2024-01-01", 1, "2024-01-01", "2024-02-01"),
        Bucket("2024-02-01", 2, "2024-02-01", "2024-03-01"),
    ]
    assert found["quarter"] == [Bucket("2024-01-01", 3, "2024-01-01", "2024-04-01")]
    assert found["year"] == [Bucket("2024-01-01", 3, "2024-01-01", "2025-01-01")]
    assert [bucket.count for bucket in found["day"]] == [1, 1, 1]
    assert found["hour"][0] == Bucket("2024-01-31T10:00:00Z", 1, "2024-01-31T10:00:00Z", "2024-01-31T11:00:00Z")
    for bucket in found["month"]:
        within = Range("seen", gte=bucket.start, lt=bucket.end)
        assert searcher.search(Request(conditions=(within,))).total == bucket.count


def test_ranges_are_counted_in_the_order_given(searcher: Searcher) -> None:
    """Of numbers and of dates; an end is not in its range."""
    years = RangeFacet("year", ((2002, None), (None, 2002), (2001, 2003), (1900, 1950)))
    dates = RangeFacet("seen", (("2024-02-01", None), (None, "2024-02-01")))
    found = searcher.search(Request(facets={"years": years, "dates": dates})).facets
    assert found["years"] == [
        Bucket("2002-*", 2, 2002, None),
        Bucket("*-2002", 1, None, 2002),
        Bucket("2001-2003", 3, 2001, 2003),
        Bucket("1900-1950", 0, 1900, 1950),
    ]
    assert [(bucket.value, bucket.count) for bucket in found["dates"]] == [("2024-02-01-*", 2), ("*-2024-02-01", 1)]


def test_a_facet_heeds_the_conditions_on_other_fields(searcher: Searcher) -> None:
    """So that another value of its own can be chosen; conditions on several fields are of others too."""
    tags = TermsFacet("tags")
    assert counts(searcher, tags, Range("year", gte=2002)) == {"works": 2, "water": 1}
    assert counts(searcher, tags, Term("tags", ("works",))) == {"water": 2, "works": 2}
    assert counts(searcher, tags, Not(Term("tags", ("works",)))) == {"water": 2, "works": 2}
    assert counts(searcher, tags, Term("tags", ("works",)), Term("year", (2001,))) == {"water": 1}
    either = OneOf((Term("tags", ("works",)), Term("year", (2001,))))
    assert counts(searcher, tags, either, Term("title", ("Rivers",))) == {"water": 1}


def test_each_facet_has_conditions_of_its_own(searcher: Searcher) -> None:
    """In one search."""
    conditions = (Term("tags", ("works",)), Term("year", (2001,)))
    facets = {"tags": TermsFacet("tags"), "year": TermsFacet("year")}
    for mode in Mode:
        found = searcher.search(Request("rivers", mode, conditions=conditions, facets=facets)).facets
        assert [(one.value, one.count) for one in found["tags"]] == [("water", 1)]
        assert [(one.value, one.count) for one in found["year"]] == [(2002, 2)]


def test_facets_count_what_the_search_finds(searcher: Searcher) -> None:
    """By words what has them; by meaning what is nearest; by both what either finds."""
    facets = {"tags": TermsFacet("tags")}
    request = {"fusion": Fusion(window=1), "size": 1, "facets": facets}
    by_mode = {
        mode: {one.value: one.count for one in searcher.search(Request("bridges", mode, **request)).facets["tags"]}  # type: ignore[arg-type]
        for mode in Mode
    }
    assert by_mode == {
        Mode.KEYWORD: {"works": 1},
        Mode.VECTOR: {"water": 1},
        Mode.HYBRID: {"works": 1, "water": 1},
    }


@pytest.mark.parametrize(
    ("facet", "part", "said"),
    [
        (TermsFacet("nope"), "facets.f.field", "there is no field"),
        (TermsFacet("body"), "facets.f.field", "`keyword: true`"),
        (TermsFacet("comments.stars"), "facets.f.field", "lies in the nested field comments"),
        (TermsFacet("span"), "facets.f.field", "holds ranges"),
        (TermsFacet("place"), "facets.f.field", "its type is geo_point"),
        (TermsFacet("tags", size=0), "facets.f.size", "from 1 to 1,000"),
        (TermsFacet("tags", size=1_001), "facets.f.size", "from 1 to 1,000"),
        (DateFacet("year"), "facets.f.field", "holds no dates"),
        (DateFacet("seen", "fortnight"), "facets.f.interval", "there is no interval 'fortnight'"),
        (RangeFacet("tags", (("a", "b"),)), "facets.f.field", "neither numbers nor dates"),
        (RangeFacet("year", ()), "facets.f.ranges", "from 1 to 100"),
        (RangeFacet("year", ((1, 2), (None, None))), "facets.f.ranges.1", "has no bounds"),
        (RangeFacet("year", (("old", None),)), "facets.f.ranges.0", "is not a number"),
    ],
)
def test_what_cannot_be_counted_is_refused(searcher: Searcher, facet: Facet, part: str, said: str) -> None:
    """With what of it, and what to do."""
    with pytest.raises(RequestInvalid) as refused:
        searcher.search(Request(facets={"f": facet}))
    assert refused.value.part == part
    assert said in str(refused.value)


def test_no_model_is_asked_for_what_is_refused(open_searcher: Open, searched: Searched) -> None:
    """It may cost money, and takes longer than all else."""

    def never(_text: str) -> bytes:
        raise AssertionError("nothing is to be embedded")

    searcher = open_searcher(searched, never)
    for wrong in (
        Request("x", facets={"f": TermsFacet("nope")}),
        Request("x", conditions=(Term("nope", ("x",)),)),
        Request("x", highlight=("nope",)),
        Request("x", fields=("nope",)),
    ):
        with pytest.raises(RequestInvalid):
            searcher.search(wrong)


def test_facets_are_bounded(searcher: Searcher) -> None:
    """In number."""
    with pytest.raises(RequestInvalid, match="at most 20"):
        searcher.search(Request(facets={str(n): TermsFacet("tags") for n in range(21)}))
