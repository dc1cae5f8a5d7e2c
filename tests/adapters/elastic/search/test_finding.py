"""What is told of hits: words marked, scores explained, another spelling, the shard that is asked."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.change import Document, Draft
from syncer.core.error import RequestInvalid
from syncer.core.field import Field
from syncer.core.index import write_alias
from syncer.core.search.condition import Not, Term
from syncer.core.search.request import Match, Mode, Request, Words
from syncer.ports import Searcher
from tests.adapters.elastic.search.conftest import Open
from tests.conftest import Elastic


@pytest.mark.parametrize("mode", Mode)
def test_words_are_marked_in_safe_html(searcher: Searcher, mode: Mode) -> None:
    """In the fields that were asked for, with all else escaped; also where the document was found by meaning."""
    result = searcher.search(
        Request("rivers", mode, highlight=("title", "body"), conditions=(Term("tags", ("works",)),))
    )
    marked = {hit.id: hit.highlights for hit in result.hits}
    (piece,) = marked["bridge"]["body"]
    assert piece.startswith("They cross <mark>rivers</mark> &amp; &lt;b&gt;more&lt;")
    assert set(marked["canal"]) == {"body"}


def test_only_words_of_the_text_are_marked(searcher: Searcher) -> None:
    """Not the values of conditions; and nothing where there is no text."""
    only = Request("granite", Mode.KEYWORD, conditions=(Term("title", ("Gravel",)),), highlight=("title",))
    assert dict(searcher.search(only).hits[0].highlights) == {}
    assert all(not hit.highlights for hit in searcher.search(Request("", highlight=("title",))).hits)


@pytest.mark.usefixtures("real_elastic")
def test_marks_follow_how_words_are_matched(searcher: Searcher) -> None:
    """Inexactly; and a phrase as a whole."""
    inexact = searcher.search(Request("granyte", Mode.KEYWORD, Words(fuzziness="AUTO"), highlight=("body",)))
    assert "<mark>Granite</mark>" in inexact.hits[-1].highlights["body"][0]
    phrase = Request("water flows", Mode.KEYWORD, Words(Match.PHRASE), highlight=("body",))
    assert searcher.search(phrase).hits[0].highlights["body"][0].count("<mark>") >= 1


@pytest.mark.usefixtures("real_elastic")
def test_what_would_take_long_to_mark_is_marked_exactly(searcher: Searcher) -> None:
    """Of many documents: words that are alike are found, and the server is not kept for seconds with marking them."""
    few = Request("granyte", Mode.KEYWORD, Words(fuzziness="AUTO"), highlight=("body", "title"), size=20)
    assert any(hit.highlights for hit in searcher.search(few).hits)
    many = searcher.search(replace(few, size=1_000))
    assert [hit.id for hit in many.hits] == [hit.id for hit in searcher.search(few).hits]
    assert not any(hit.highlights for hit in many.hits)


@pytest.mark.parametrize("path", ["tags", "nope", "comments.body"])
def test_only_texts_can_be_marked(searcher: Searcher, path: str) -> None:
    """Those that words are looked for in."""
    with pytest.raises(RequestInvalid) as refused:
        searcher.search(Request("x", highlight=("title", path)))
    assert refused.value.part == "highlight.1"


def test_each_ranking_explains_its_score(searcher: Searcher) -> None:
    """Of the hits that it holds."""
    result = searcher.search(Request("rivers", explain=True))
    for hit in result.hits:
        assert set(hit.explanations) == set(hit.ranks)
        assert all(explanation["value"] > 0 for explanation in hit.explanations.values())
    (alone,) = searcher.search(Request("rilke", Mode.KEYWORD, explain=True)).hits
    assert alone.explanations["keyword"]["value"] == pytest.approx(alone.score)
    (nearest,) = searcher.search(Request("x", Mode.VECTOR, size=1, explain=True)).hits
    assert set(nearest.explanations) == {"vector"}
    assert not searcher.search(Request("rivers")).hits[0].explanations


def test_another_spelling_is_offered(searcher: Searcher) -> None:
    """One that documents have; of words that are spelt right there is none."""
    assert searcher.search(Request("watr flows", did_you_mean=True)).did_you_mean == "water flows"
    assert searcher.search(Request("water flows", did_you_mean=True)).did_you_mean is None
    assert searcher.search(Request("watr flows")).did_you_mean is None
    for mode in Mode:
        assert searcher.search(Request("watr flows", mode, did_you_mean=True)).did_you_mean == "water flows"


@pytest.mark.usefixtures("real_elastic")
def test_no_other_spelling_is_looked_for_of_a_long_text(searcher: Searcher) -> None:
    """It takes the server seconds; the search itself does not mind."""
    assert searcher.search(Request("watr flows" + " " * 300, Mode.KEYWORD, did_you_mean=True)).did_you_mean
    text = "watr flows " + "x" * 250
    assert searcher.search(Request(text, Mode.KEYWORD, did_you_mean=True)).did_you_mean is None


@pytest.mark.usefixtures("real_elastic")
def test_another_spelling_is_a_word_and_no_stem(open_searcher: Open, searched: Searched) -> None:
    """Where a field knows stems alone; all that was spelt right stays as it was typed."""
    titles = open_searcher(replace(searched, fields=[field for field in searched.fields if field.name == "title"]))
    request = Request("The Brigdes of rivers", Mode.KEYWORD, did_you_mean=True)
    assert titles.search(request).did_you_mean == "The bridges of rivers"
    assert titles.search(replace(request, text="The bridge of river")).did_you_mean is None


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    "text", ["river \ud83d", "river \x00", 'river "', "river AND (", "river\n{}", "re\u0301sume\u0301 river"]
)
def test_whatever_a_text_holds_is_looked_for(searcher: Searcher, text: str, mode: Mode) -> None:
    """It is no query language, and half a character is no trouble of the server's."""
    assert "river" in {hit.id for hit in searcher.search(Request(text, mode)).hits}
    condition = Not(Term("tags", (text,)))
    assert searcher.search(Request("river", mode, conditions=(condition,))).total > 0


@pytest.fixture
def two_tenants(elastic: Elastic, index_prefix: str) -> Searched:
    """Documents of two tenants, on the shards that their routing values lead to."""
    name, alias, fields = f"{index_prefix}-1", f"{index_prefix}-all", [Field("title", "title", "text")]
    indices = ElasticIndices(elastic.client, mapping(fields, []), IndexSettings(shards=5, replicas=0))
    indices.create(name, {"pipeline": "p"})
    writes = [
        Document(Draft((f"{tenant}{n}",), json.dumps({"title": "shared words"}), 1, {}, routing=tenant), {}, 1)
        for tenant in ("acme", "zeta")
        for n in range(3)
    ]
    ElasticSink(elastic.client, write_alias(name)).write(writes)
    indices.publish(name, alias)
    return Searched(alias, fields)


def test_one_tenants_shard_is_asked(open_searcher: Open, two_tenants: Searched, real_elastic: Elastic) -> None:
    """By the routing value, on every page; a document by its id is found on any shard."""
    searcher = open_searcher(two_tenants)
    assert searcher.search(Request("words")).total == 6
    assert {hit.id for hit in searcher.search(Request("words", routing="acme")).hits} == {"acme0", "acme1", "acme2"}
    first = searcher.search(Request("words", routing="zeta", paged=True, size=2))
    second = searcher.search(Request("words", routing="zeta", cursor=first.cursor, size=2))
    assert {hit.id for page in (first, second) for hit in page.hits} == {"zeta0", "zeta1", "zeta2"}
    assert searcher.document("acme1") == {"title": "shared words"}
    like = searcher.similar("acme1")
    assert like is not None
    assert like.total == 5
