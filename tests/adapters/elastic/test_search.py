"""Searches by words, by meaning, and by both."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.search import ElasticSearcher
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.change import Document, Draft
from syncer.core.error import ConfigurationError, IndexMissing
from syncer.core.field import Field, Related, VectorField
from syncer.core.hit import Mode
from syncer.core.index import write_alias
from syncer.core.outcome import Applied
from syncer.core.relation import Join, Relation
from syncer.core.table import Table
from tests.conftest import Elastic

AUTHORS = Relation("author", (Join(Table("public", "author", {}, ("id",), None), (("author_id", "id"),)),))
AUTHOR = Related(AUTHORS, (Field("name", "name", "text", boost=2), Field("country", "country", "keyword")))
COMMENTS = Related(AUTHORS, (Field("body", "body", "text"),))
FIELDS = [
    Field("title", "title", "text", analyzer="english", keyword=True, boost=3),
    Field("body", "body", "text", analyzer="english"),
    Field("tags", "tags", "keyword"),
    Field("year", "year", "integer"),
    Field("attributes", "attributes", "flattened"),
    Field("author", "", "object", related=AUTHOR),
    Field("comments", "", "nested", related=COMMENTS),
    Field("notes", "notes", "nested", options={"properties": {"text": {"type": "text"}}}),
    Field("raw", "raw", "object"),
    Field("place.name", "place", "text", boost=2),
]
VECTORS = [VectorField("embedding", "{title}", 2)]

#: Key, document, direction of its vector.
DOCUMENTS: list[tuple[str, dict[str, Any], tuple[float, float]]] = [
    ("river", {"title": "Rivers", "body": "Water flows to the sea.", "tags": ["water"], "year": 2001}, (1.0, 0.0)),
    (
        "canal",
        {
            "title": "Canals",
            "body": "Like rivers, but dug.",
            "tags": ["water", "works"],
            "year": 2002,
            "place.name": "Kiel",
        },
        (0.8, 0.5),
    ),
    ("bridge", {"title": "Bridges", "body": "They cross.", "tags": ["works"], "year": 2002}, (0.5, 0.8)),
    (
        "poem",
        {
            "title": "A poem",
            "author": {"name": "Rilke", "country": "AT"},
            "comments": [{"body": "marvellous"}],
        },
        (0.0, 1.0),
    ),
    ("oak", {"title": "Oak", "attributes": {"wood": "hard"}, "raw": {"x": 1}}, (-1.0, 0.2)),
    ("gravel", {"title": "Gravel", "body": "Granite, granite, granite."}, (-1.0, 0.1)),
    ("rock", {"title": "Kinds of rock, such as granite, and where they are", "body": "Many."}, (-1.0, 0.0)),
]


def direction(text: str) -> bytes:
    """Stand in for a model: whatever is asked, the sea is meant."""
    return struct.pack("<2f", 1.0, 0.05)


@pytest.fixture
def alias(elastic: Elastic, index_prefix: str) -> str:
    name, alias = f"{index_prefix}-1", f"{index_prefix}-all"
    indices = ElasticIndices(elastic.client, mapping(FIELDS, VECTORS), IndexSettings(replicas=0))
    indices.create(name, {"pipeline": "p"})
    writes = [
        Document(Draft((key,), json.dumps(body), 1, {}), {"embedding": struct.pack("<2f", *vector)}, 1)
        for key, body, vector in DOCUMENTS
    ]
    assert ElasticSink(elastic.client, write_alias(name)).write(writes) == [Applied(created=True)] * len(writes)
    indices.publish(name, alias)
    return alias


@pytest.fixture
def searcher(elastic: Elastic, alias: str) -> ElasticSearcher:
    return ElasticSearcher(elastic.client, alias, FIELDS, VECTORS, direction)


def test_words_are_found_by_their_stem(searcher: ElasticSearcher) -> None:
    """One "river" finds "Rivers", in the title before in the body; nothing else is found."""
    hits = searcher.search("river", mode=Mode.KEYWORD)
    assert [hit.id for hit in hits] == ["river", "canal"]
    assert [hit.ranks for hit in hits] == [{"keyword": 1}, {"keyword": 2}]
    assert hits[0].score > hits[1].score > 0


def test_a_boosted_field_weighs_more(searcher: ElasticSearcher) -> None:
    """Once in a long title counts for more than three times in a short body."""
    assert [hit.id for hit in searcher.search("granite", mode=Mode.KEYWORD)] == ["rock", "gravel"]


def test_a_field_with_a_dot_in_its_name_is_searched(searcher: ElasticSearcher) -> None:
    """It is a field of an object."""
    assert [hit.id for hit in searcher.search("kiel", mode=Mode.KEYWORD)] == ["canal"]


def test_words_in_related_rows_are_searched(searcher: ElasticSearcher) -> None:
    """Those of objects, by their paths; nested ones would need a query of their own."""
    assert [hit.id for hit in searcher.search("rilke", mode=Mode.KEYWORD)] == ["poem"]
    assert searcher.search("marvellous", mode=Mode.KEYWORD) == []


def test_meaning_is_found_without_a_word_in_common(searcher: ElasticSearcher) -> None:
    """The nearest vectors, nearest first, and as many as were asked for."""
    hits = searcher.search("ocean", mode=Mode.VECTOR, size=3)
    assert [hit.id for hit in hits] == ["river", "canal", "bridge"]
    assert [hit.ranks for hit in hits] == [{"vector": 1}, {"vector": 2}, {"vector": 3}]


def test_both_rankings_are_fused_by_rank(searcher: ElasticSearcher) -> None:
    """What is first in words or second in meaning, and what both know, comes before what one of them knows."""
    hits = searcher.search("bridge river", mode=Mode.HYBRID)
    ranks = {hit.id: hit.ranks for hit in hits}
    assert ranks["river"]["vector"] == 1
    assert set(ranks["bridge"]) == {"keyword", "vector"}
    assert set(ranks["poem"]) == {"vector"}
    for hit in hits:
        assert hit.score == pytest.approx(sum(1 / (60 + rank) for rank in hit.ranks.values()))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_what_is_second_in_both_rankings_is_first(searcher: ElasticSearcher) -> None:
    """Even when only the first is asked for: fusion looks at more than it returns."""
    every = searcher.search("poem poem poem canals", mode=Mode.HYBRID)
    assert (every[0].id, every[0].ranks) == ("canal", {"keyword": 2, "vector": 2})
    assert searcher.search("poem poem poem canals", mode=Mode.HYBRID, size=1) == every[:1]


def test_a_hit_holds_the_document_without_vectors(searcher: ElasticSearcher) -> None:
    """What the row became, and nothing of syncer's own."""
    (hit,) = searcher.search("rilke", mode=Mode.KEYWORD)
    assert hit.source == dict(DOCUMENTS[3][1])
    (nearest,) = searcher.search("x", mode=Mode.VECTOR, size=1)
    assert nearest.source == dict(DOCUMENTS[0][1])


@pytest.mark.parametrize("mode", [Mode.VECTOR, Mode.HYBRID])
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"tags": ["works"]}, {"canal", "bridge"}),
        ({"tags": ["works", "water"]}, {"river", "canal", "bridge"}),
        ({"tags": ["works"], "year": ["2002"], "title": ["Bridges"]}, {"bridge"}),
        ({"title": ["bridges"]}, set()),
        ({"author.country": ["AT"]}, {"poem"}),
        ({"attributes.wood": ["hard"]}, {"oak"}),
    ],
)
def test_filters_bound_every_ranking(
    searcher: ElasticSearcher, mode: Mode, filters: dict[str, list[str]], found: set[str]
) -> None:
    """One of the values of each field, exactly; nearest neighbours are looked for within the filter, not before it."""
    assert {hit.id for hit in searcher.search("river bridge", mode=mode, filters=filters)} == found


def test_filters_bound_words_too(searcher: ElasticSearcher) -> None:
    """And do not change scores."""
    hits = searcher.search("river", mode=Mode.KEYWORD)
    within = searcher.search("river", mode=Mode.KEYWORD, filters={"year": ["2002"]})
    assert within == [type(hits[1])(hits[1].id, within[0].score, hits[1].source, {"keyword": 1})]
    assert within[0].score == pytest.approx(hits[1].score)


@pytest.mark.parametrize("name", ["nope", "body", "notes.text", "raw", "raw.x", "_syncer.key", "embedding"])
def test_a_filter_on_what_has_no_exact_values_is_refused(searcher: ElasticSearcher, name: str) -> None:
    """The message names the fields that there are; silence would look like nothing found."""
    with pytest.raises(ConfigurationError, match=r"attributes, author\.country, tags, title, year"):
        searcher.search("x", mode=Mode.KEYWORD, filters={name: ["x"]})


def test_a_mode_that_the_pipeline_has_nothing_for_is_refused(elastic: Elastic, alias: str) -> None:
    """With the mode that works, or the setting."""
    words = ElasticSearcher(elastic.client, alias, FIELDS, [], None)
    assert words.search("river", mode=Mode.KEYWORD)
    for mode in (Mode.VECTOR, Mode.HYBRID):
        with pytest.raises(ConfigurationError, match="no embedding"):
            words.search("river", mode=mode)
    with pytest.raises(ConfigurationError, match="no text field"):
        ElasticSearcher(elastic.client, alias, [], VECTORS, direction).search("river", mode=Mode.KEYWORD)


def test_an_alias_that_is_not_there_is_told(elastic: Elastic, index_prefix: str) -> None:
    """Nothing was published yet."""
    searcher = ElasticSearcher(elastic.client, f"{index_prefix}-none", FIELDS, VECTORS, direction)
    with pytest.raises(IndexMissing, match=f"{index_prefix}-none"):
        searcher.search("river", mode=Mode.HYBRID)
