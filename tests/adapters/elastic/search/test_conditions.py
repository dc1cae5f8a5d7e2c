"""Conditions: what documents must meet, whatever is searched for, and what cannot be one."""

from __future__ import annotations

import pytest

from syncer.adapters.elastic.search.conditions import filters
from syncer.adapters.elastic.search.conversation import Refused, invalid
from syncer.adapters.elastic.search.declared import Declared
from syncer.core.error import RequestInvalid
from syncer.core.search.condition import Condition, Exists, Near, Not, OneOf, Prefix, Range, Term
from syncer.core.search.facet import RangeFacet
from syncer.core.search.request import Mode, Request
from syncer.ports import Searcher
from tests.adapters.elastic.search.library import FIELDS, VECTORS
from tests.conftest import Elastic

DECLARED = Declared(FIELDS, VECTORS)

CONDITIONS: list[tuple[Condition, set[str]]] = [
    (Term("tags", ("works",)), {"canal", "bridge"}),
    (Term("tags", ("works", "water")), {"river", "canal", "bridge"}),
    (Term("title", ("Bridges",)), {"bridge"}),
    (Term("title", ("bridges",)), set()),
    (Term("author.country", ("AT",)), {"poem"}),
    (Term("attributes.wood", ("hard",)), {"oak"}),
    (Term("free", (True,)), {"river"}),
    (Term("free", ("false",)), {"canal"}),
    (Term("year", ("2001",)), {"river"}),
    (Range("year", gt=2001), {"canal", "bridge"}),
    (Range("year", gte="2001", lt=2002), {"river"}),
    (Range("seen", gte="2024-02-01", lte="2024-02-10"), {"canal"}),
    (Exists("address"), {"canal"}),
    (Exists("body"), {"river", "canal", "bridge", "gravel", "rock"}),
    (Exists("attributes.wood"), {"oak"}),
    (Prefix("tags", "wat"), {"river", "canal"}),
    (Prefix("title", "Bri"), {"bridge"}),
    (Near("place", 50.01, 8.01, "10km"), {"river"}),
    (Term("comments.stars", (2,)), {"river"}),
    (Range("comments.stars", gte=5), {"river", "poem"}),
    (Exists("comments"), {"river", "bridge", "poem"}),
    (Not(Term("tags", ("water",))), {"bridge", "poem", "oak", "gravel", "rock"}),
    (Not(Exists("comments.stars")), {"canal", "oak", "gravel", "rock"}),
    (OneOf((Term("year", (2001,)), Term("author.country", ("AT",)))), {"river", "poem"}),
    (Not(OneOf((Exists("tags"), Not(Exists("body"))))), {"gravel", "rock"}),
]


@pytest.mark.parametrize(("condition", "found"), CONDITIONS)
def test_only_what_meets_a_condition_is_found(searcher: Searcher, condition: Condition, found: set[str]) -> None:
    """In every mode: nearest neighbours are looked for among what meets it, not before."""
    for text, mode in (("", Mode.KEYWORD), ("ocean", Mode.VECTOR), ("river bridge", Mode.HYBRID)):
        result = searcher.search(Request(text, mode, conditions=(condition,)))
        assert {hit.id for hit in result.hits} == found


def test_all_conditions_must_be_met(searcher: Searcher) -> None:
    """And none of them changes a score."""
    (without,) = searcher.search(Request("granite bridge", Mode.KEYWORD, size=1)).hits
    both = (Term("tags", ("works",)), Range("year", gte=2002), Term("title", ("Bridges",)))
    (within,) = searcher.search(Request("granite bridge", Mode.KEYWORD, conditions=both)).hits
    assert (within.id, without.id) == ("bridge", "bridge")
    assert within.score == pytest.approx(without.score)


@pytest.mark.parametrize(
    ("condition", "part", "said"),
    [
        (Term("titel", ("x",)), "conditions.0.field", "there is no field 'titel'\n  → did you mean title?"),
        (Term("body", ("x",)), "conditions.0.field", "`keyword: true` gives it such values"),
        (Term("notes.text", ("x",)), "conditions.0.field", "a text without exact values"),
        (Term("raw", ("x",)), "conditions.0.field", "its type is object"),
        (Term("raw.x", ("x",)), "conditions.0.field", "there is no field 'raw.x'"),
        (Term("place", ("x",)), "conditions.0.field", "its type is geo_point"),
        (Term("_syncer.key", ("x",)), "conditions.0.field", "there is no field"),
        (Term("_id", ("x",)), "conditions.0.field", "there is no field"),
        (Term("embedding", ("x",)), "conditions.0.field", "there is no field"),
        (Term("year", ("old",)), "conditions.0.values.0", "'old' is not a number"),
        (Term("year", (1, True)), "conditions.0.values.1", "True is not a number"),
        (Term("year", (float("nan"),)), "conditions.0.values.0", "nan is no value"),
        (Term("year", ("1e-9999999",)), "conditions.0.values.0", "'1e-9999999' is not a number"),
        (Term("year", ("9" * 8000,)), "conditions.0.values.0", "… is not a number"),
        (Term("span", ("1e-9999999",)), "conditions.0.values.0", "'1e-9999999' is not a number"),
        (Range("year", gte="1_000"), "conditions.0.gte", "'1_000' is not a number"),
        (Term("year", (None,)), "conditions.0.values.0", "None is no value"),  # type: ignore[arg-type]
        (Term("tags", ({"a": 1},)), "conditions.0.values.0", "{'a': 1} is no value"),  # type: ignore[arg-type]
        (Prefix("tags", "x" * 1001), "conditions.0.text", "more than 1,000 characters"),
        (Term("free", ("yes",)), "conditions.0.values.0", "'yes' is not true or false"),
        (Term("address", ("home",)), "conditions.0.values.0", "'home' is not an IP address"),
        (Term("tags", ()), "conditions.0.values", "there is none"),
        (Term("tags", ("x",) * 1001), "conditions.0.values", "at most 1,000"),
        (Term("tags", ("x" * 9000,)), "conditions.0.values.0", "at most 8,191"),
        (Range("title", gte="a"), "conditions.0.field", "title has no order"),
        (Range("free", gte=False), "conditions.0.field", "free has no order"),
        (Range("place", gte=1), "conditions.0.field", "its type is geo_point"),
        (Range("year"), "conditions.0", "no bounds"),
        (Range("year", lt="soon"), "conditions.0.lt", "'soon' is not a number"),
        (Prefix("year", "20"), "conditions.0.field", "year holds no text"),
        (Exists("raw"), "conditions.0.field", "only kept"),
        (Near("title", 0, 0, "1km"), "conditions.0.field", "title holds no points"),
        (Near("place", 91, 0, "1km"), "conditions.0.latitude", "must be from -90 to 90"),
        (Near("place", 0, float("inf"), "1km"), "conditions.0.longitude", "must be from -180 to 180"),
        (Near("place", 0, 0, "far"), "conditions.0.distance", "give its unit"),
        (Not(Term("nope", ("x",))), "conditions.0.condition.field", "there is no field"),
        (OneOf(()), "conditions.0.conditions", "there is none"),
        (OneOf((Exists("tags"), Exists("nope"))), "conditions.0.conditions.1.field", "there is no field"),
        (Not(Not(Not(Not(Not(Exists("tags")))))), "conditions.0" + ".condition" * 5, "deeper than 5"),
    ],
)
def test_what_cannot_be_a_condition_is_refused(condition: Condition, part: str, said: str) -> None:
    """Naming what of it, before anything is asked: silence would look like nothing found."""
    with pytest.raises(RequestInvalid) as refused:
        filters([condition], DECLARED)
    assert refused.value.part == part
    assert said in str(refused.value)


def test_conditions_are_counted() -> None:
    """Those within others too."""
    filters([Exists("tags")] * 100, DECLARED)
    with pytest.raises(RequestInvalid, match="more than 100"):
        filters([OneOf((Exists("tags"),) * 100)], DECLARED)


def test_a_value_that_only_elasticsearch_can_judge_is_refused_as_such(searcher: Searcher) -> None:
    """A date: with the server's words, and the condition that it quotes."""
    conditions = (Exists("tags"), Range("seen", gte="yesteryear"))
    for mode in Mode:
        with pytest.raises(RequestInvalid, match="failed to parse date field") as refused:
            searcher.search(Request("river", mode, conditions=conditions))
        assert refused.value.part == "conditions.1"


@pytest.mark.parametrize(
    ("request_", "part"),
    [
        (Request("", conditions=(Exists("tags"), Term("year", (2**70,)))), "conditions"),
        (Request("", conditions=(Term("year", (2**70,)),)), "conditions.0"),
        (Request("", facets={"s": RangeFacet("seen", (("never", None),))}), "facets.s"),
    ],
)
def test_a_refusal_is_of_a_part(searcher: Searcher, request_: Request, part: str, real_elastic: Elastic) -> None:
    """Also where the server does not quote the value as it was given."""
    with pytest.raises(RequestInvalid) as refused:
        searcher.search(request_)
    assert refused.value.part == part


def test_a_refusal_is_told_in_short_and_in_whole_characters() -> None:
    """Elasticsearch quotes what it was given, and may cut it between the halves of a character."""
    told = invalid(Refused(400, "parse_exception", "For input string: " + "x" * 9000 + "\ud83e"), "conditions.0")
    assert len(str(told)) < 400
    short = invalid(Refused(400, "parse_exception", "For input string: \ud83e"), "conditions.0")
    assert str(short).encode().endswith(b"?")
