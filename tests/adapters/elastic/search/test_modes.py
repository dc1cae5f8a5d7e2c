"""Searches by words, by meaning, and by both."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from syncer.adapters.elastic.search.conversation import Call, Conversation, Embed
from syncer.adapters.elastic.search.cursor import Cursors
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.elastic.search.searches import Searches
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.memory.clock import MemoryClock
from syncer.core.change import Document, Draft
from syncer.core.error import IndexMissing, RequestInvalid
from syncer.core.index import write_alias
from syncer.core.search.condition import Term
from syncer.core.search.fusion import RANK_CONSTANT, Fusion
from syncer.core.search.request import Match, Mode, Request, Words
from syncer.core.search.result import Result
from syncer.ports import Searcher
from tests.adapters.elastic.search.conftest import Open
from tests.adapters.elastic.search.library import DOCUMENTS, FIELDS, VECTORS, direction, filled
from tests.conftest import Elastic


def ids(result: Result) -> list[str]:
    return [hit.id for hit in result.hits]


def by_words(searcher: Searcher, text: str, words: Words = Words(), size: int = 10) -> list[str]:  # noqa: B008
    return ids(searcher.search(Request(text, Mode.KEYWORD, words, size=size)))


def test_words_are_found_by_their_stem(searcher: Searcher) -> None:
    """One "river" finds "Rivers" in the title; where nothing is stemmed, only the word itself."""
    result = searcher.search(Request("river", Mode.KEYWORD))
    assert ids(result) == ["river"]
    assert (result.mode, result.total, result.exact) == (Mode.KEYWORD, 1, True)
    assert dict(result.hits[0].ranks) == {"keyword": 1}
    assert ids(searcher.search(Request("rivers", Mode.KEYWORD)))[0] == "river"


def test_a_boosted_field_weighs_more(searcher: Searcher) -> None:
    """Once in a long title counts for more than three times in a short body."""
    assert by_words(searcher, "granite") == ["rock", "gravel"]


def test_a_field_with_a_dot_in_its_name_is_searched(searcher: Searcher) -> None:
    """It is a field of an object."""
    assert by_words(searcher, "kiel") == ["canal"]


def test_words_in_related_rows_are_searched(searcher: Searcher) -> None:
    """Those of objects, by their paths; nested ones would need a query of their own."""
    assert by_words(searcher, "rilke") == ["poem"]
    assert by_words(searcher, "marvellous") == []


@pytest.mark.parametrize(
    ("text", "words", "found"),
    [
        ("rivers", Words(fields=("body",)), {"canal", "bridge"}),
        ("water sea", Words(Match.PHRASE), set()),
        ("water flows", Words(Match.PHRASE), {"river"}),
        ("granite", Words(Match.MOST_FIELDS), {"rock", "gravel"}),
        ("kiel granite", Words(Match.CROSS_FIELDS), {"canal", "rock", "gravel"}),
        ("granyte", Words(), set()),
        ("granyte", Words(fuzziness="AUTO"), {"rock", "gravel"}),
        ("water granite", Words(fields=("body",), minimum_should_match="2"), set()),
        ("water granite", Words(fields=("body",), minimum_should_match="1"), {"river", "gravel"}),
    ],
)
def test_words_are_matched_as_asked(searcher: Searcher, text: str, words: Words, found: set[str]) -> None:
    """In some fields, one after another, in one field or in several, inexactly, some of them."""
    assert set(by_words(searcher, text, words)) == found


@pytest.mark.usefixtures("real_elastic")
def test_words_may_lie_in_different_fields(searcher: Searcher) -> None:
    """All of them in one document, for `cross_fields`; in one of its fields, for the others."""
    fields = ("body", "town.name")
    assert by_words(searcher, "kiel dug", Words(Match.CROSS_FIELDS, fields, minimum_should_match="100%")) == ["canal"]
    assert by_words(searcher, "kiel dug", Words(fields=fields, minimum_should_match="100%")) == []


def test_meaning_is_found_without_a_word_in_common(searcher: Searcher) -> None:
    """The nearest vectors, nearest first, and as many as were asked for; the others can be paged to."""
    result = searcher.search(Request("ocean", Mode.VECTOR, size=3))
    assert ids(result) == ["river", "canal", "bridge"]
    assert [dict(hit.ranks) for hit in result.hits] == [{"vector": 1}, {"vector": 2}, {"vector": 3}]
    assert (result.total, result.exact) == (7, True)
    second = searcher.search(Request("ocean", Mode.VECTOR, size=3, offset=3))
    assert ids(second)[0] == "poem"
    assert dict(second.hits[0].ranks) == {"vector": 4}


def test_both_rankings_are_fused_by_rank(searcher: Searcher) -> None:
    """What is first in words or second in meaning, and what both know, comes before what one of them knows."""
    hits = searcher.search(Request("bridge rivers")).hits
    ranks = {hit.id: hit.ranks for hit in hits}
    assert ranks["river"]["vector"] == 1
    assert set(ranks["bridge"]) == {"keyword", "vector"}
    assert set(ranks["poem"]) == {"vector"}
    for hit in hits:
        assert hit.score == pytest.approx(sum(1 / (RANK_CONSTANT + rank) for rank in hit.ranks.values()))
    scores = [hit.score or 0 for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_weights_and_the_constant_decide_on_ranks(searcher: Searcher) -> None:
    """The weight of nothing leaves what only the other ranking knows at the end."""
    words = searcher.search(Request("granite", fusion=Fusion(k=1, vector=0)))
    assert ids(words)[:2] == ["rock", "gravel"]
    assert words.hits[0].score == pytest.approx(1 / 2)
    meaning = searcher.search(Request("granite", fusion=Fusion(keyword=0)))
    assert ids(meaning)[0] == "river"


def test_what_is_second_in_both_rankings_is_first(searcher: Searcher) -> None:
    """Even when only the first is asked for: fusion looks at more than it returns."""
    every = searcher.search(Request("poem poem poem canals"))
    assert (every.hits[0].id, dict(every.hits[0].ranks)) == ("canal", {"keyword": 2, "vector": 2})
    assert searcher.search(Request("poem poem poem canals", size=1)).hits[0] == every.hits[0]
    assert ids(searcher.search(Request("poem poem poem canals", size=2, offset=1))) == ids(every)[1:3]


def test_no_text_finds_all_without_a_model(open_searcher: Open, searched: Searched) -> None:
    """Blank text too."""

    def never(_text: str) -> bytes:
        raise AssertionError("no model is needed")

    result = open_searcher(searched, never).search(Request("  "))
    assert (result.mode, result.total) == (Mode.KEYWORD, len(DOCUMENTS))


def test_a_hit_holds_the_document_without_vectors(searcher: Searcher) -> None:
    """What the row became, and nothing of syncer's own."""
    (hit,) = searcher.search(Request("rilke", Mode.KEYWORD)).hits
    assert hit.source == DOCUMENTS[3][1]
    (nearest,) = searcher.search(Request("x", Mode.VECTOR, size=1)).hits
    assert nearest.source == DOCUMENTS[0][1]
    (fused,) = searcher.search(Request("rivers", size=1)).hits
    assert fused.source == DOCUMENTS[0][1]


def test_a_mode_that_the_pipeline_has_nothing_for_is_refused(open_searcher: Open, searched: Searched) -> None:
    """With the mode that works, or the setting."""
    words = open_searcher(Searched(searched.alias, FIELDS), None)
    assert words.search(Request("river")).mode is Mode.KEYWORD
    for mode in (Mode.VECTOR, Mode.HYBRID):
        with pytest.raises(RequestInvalid, match="no embedding") as refused:
            words.search(Request("river", mode))
        assert refused.value.part == "mode"
    meaning = open_searcher(Searched(searched.alias, [], VECTORS))
    assert meaning.search(Request("river")).mode is Mode.VECTOR
    for mode in (Mode.KEYWORD, Mode.HYBRID):
        with pytest.raises(RequestInvalid, match="no text field"):
            meaning.search(Request("river", mode))


@pytest.mark.parametrize("mode", Mode)
def test_an_alias_that_is_not_there_is_told(open_searcher: Open, index_prefix: str, mode: Mode) -> None:
    """Nothing was published yet."""
    searcher = open_searcher(Searched(f"{index_prefix}-none", FIELDS, VECTORS))
    with pytest.raises(IndexMissing, match=f"{index_prefix}-none"):
        searcher.search(Request("river", mode))


def test_vectors_of_another_length_are_refused_as_such(open_searcher: Open, searched: Searched) -> None:
    """In Elasticsearch's words, and not as a fault of the server."""
    searcher = open_searcher(searched, lambda _: struct.pack("<3f", 1, 0, 0))
    with pytest.raises(RequestInvalid, match="dimension"):
        searcher.search(Request("river", Mode.VECTOR))


@pytest.mark.parametrize("explain", [False, True])
def test_a_document_that_leaves_between_two_requests_is_not_shown(
    elastic: Elastic, index_prefix: str, clock: MemoryClock, explain: bool
) -> None:
    """It is ranked while it meets the conditions, and shown only if it still does: it may be another tenant's now."""
    searched = filled(elastic, index_prefix)
    searches = Searches(searched, Cursors(b"secret", clock), embeds=True)
    asked = 0

    def answer(step: Call | Embed) -> Any:
        nonlocal asked
        if isinstance(step, Embed):
            return direction(step.text)
        answered = elastic.client.msearch(**step.parameters).body
        asked += 1
        if asked == 1:
            gone = Document(Draft(("bridge",), json.dumps({"title": "Bridges", "tags": ["secret"]}), 9, {}), {}, 2)
            ElasticSink(elastic.client, write_alias(f"{index_prefix}-1")).write([gone])
            elastic.client.indices.refresh(index=searched.alias)
        return answered

    works = (Term("tags", ("works",)),)
    result = held(searches.search(Request("rivers", Mode.HYBRID, conditions=works, explain=explain)), answer)
    assert asked == 2
    assert ids(result) == ["canal"]


def held(talk: Conversation[Result], answer: Callable[[Call | Embed], Any]) -> Result:
    """Hold a conversation to its end."""
    said = None
    while True:
        try:
            step = talk.send(said)
        except StopIteration as end:
            result: Result = end.value
            return result
        said = answer(step)
