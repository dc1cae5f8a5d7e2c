"""What pages choose to show of declared fields."""

from __future__ import annotations

import pytest

from syncer.adapters.elastic.search.searched import Searched
from syncer.app.web.facet_view import groups
from syncer.app.web.outline import Counted, Kind, Outline, outline
from syncer.app.web.place import Place
from syncer.core.field import Field, VectorField
from syncer.core.search.facet import Bucket
from syncer.core.search.request import Mode


def of(*fields: tuple[str, str], vectors: int = 0) -> Outline:
    declared = [Field(name, name, kind) for name, kind in fields]
    return outline(Searched("a", declared, [VectorField(f"v{n}", "{a}", 4) for n in range(vectors)]))


@pytest.mark.parametrize(
    ("fields", "heading"),
    [
        ([("body", "text"), ("title", "text")], "title"),
        ([("summary", "text"), ("body", "text")], "summary"),
        ([("code", "keyword"), ("name", "keyword")], "name"),
        ([("code", "keyword")], None),
    ],
)
def test_a_document_is_called_by_its_likeliest_field(fields: list[tuple[str, str]], heading: str | None) -> None:
    """A text before a keyword; else by its id."""
    assert of(*fields).heading == heading


def test_a_few_fields_of_each_kind_narrow_a_search() -> None:
    """At most five; neither texts, nor keys, nor what the heading says."""
    found = of(
        ("id", "long"),
        ("author_id", "integer"),
        ("title", "text"),
        *((f"k{n}", "keyword") for n in range(4)),
        ("open", "boolean"),
        ("updated_at", "date"),
        ("published", "date"),
        ("price", "double"),
        ("place", "geo_point"),
    ).counted
    assert [(each.path, each.kind) for each in found] == [
        ("k0", Kind.TERMS),
        ("k1", Kind.TERMS),
        ("k2", Kind.TERMS),
        ("published", Kind.DATES),
        ("price", Kind.NUMBERS),
    ]


def test_there_are_the_modes_that_the_pipeline_can_do() -> None:
    """The best one first."""
    assert of(("title", "text")).modes == (Mode.KEYWORD,)
    assert of(("title", "text"), vectors=1).modes == (Mode.HYBRID, Mode.KEYWORD, Mode.VECTOR)
    assert of(("code", "keyword"), vectors=1).modes == (Mode.VECTOR,)


def test_values_that_only_tell_documents_apart_are_no_choices() -> None:
    """Of numbers bounds are still asked for."""
    apart = [Bucket(f"v{n}", 1) for n in range(20)]
    numbers = [Bucket(n, 2) for n in range(8)]
    counted = [Counted("isbn", Kind.TERMS), Counted("price", Kind.NUMBERS)]
    (price,) = groups(counted, {"isbn": apart, "price": numbers}, 900, Place())
    assert (price.path, price.choices, price.bounded) == ("price", [], True)


def test_what_is_chosen_stays_a_choice() -> None:
    """Though others are commoner now, and however it was chosen."""
    place = Place(filters=("tags:rare",), ranges=("at:2024-01-01..2025-01-01",))
    found = {
        "tags": [Bucket("common", 5)],
        "at": [
            Bucket("2023-01-01", 3, "2023-01-01", "2024-01-01"),
            Bucket("2024-01-01", 1, "2024-01-01", "2025-01-01"),
        ],
    }
    tags, at = groups([Counted("tags", Kind.TERMS), Counted("at", Kind.DATES)], found, 5, place)
    assert [(each.label, each.chosen, each.count) for each in tags.choices] == [
        ("rare", True, None),
        ("common", False, 5),
    ]
    assert [(each.label, each.chosen) for each in at.choices] == [("2024", True), ("2023", False)]
    assert at.choices[0].url == "/?filter=tags%3Arare"
    assert (at.start, at.end) == ("2024-01-01", "2025-01-01")
