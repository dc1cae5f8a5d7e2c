"""Pages and their order: by number, and by cursors that see the index as it was."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.search.cursor import KEEP_ALIVE
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.memory.clock import MemoryClock
from syncer.core.change import Document, Draft
from syncer.core.error import RequestInvalid
from syncer.core.index import write_alias
from syncer.core.search.condition import Exists, Range, Term
from syncer.core.search.facet import TermsFacet
from syncer.core.search.request import Mode, Request, Sort, Words
from syncer.core.search.result import Result
from syncer.ports import Searcher
from tests.adapters.elastic.search.conftest import Open
from tests.adapters.elastic.search.library import DOCUMENTS, FIELDS, VECTORS, filled
from tests.conftest import Elastic

EVERY = {key for key, _, _ in DOCUMENTS}


def ids(result: Result) -> list[str]:
    return [hit.id for hit in result.hits]


@pytest.mark.parametrize(
    ("sort", "begins"),
    [
        ((Sort("year"), Sort("title", descending=True)), ["river", "canal", "bridge"]),
        ((Sort("year", descending=True), Sort("title")), ["bridge", "canal", "river"]),
        ((Sort("seen", descending=True),), ["bridge", "canal", "river"]),
        ((Sort("author.country"),), ["poem"]),
        ((Sort("attributes.wood"),), ["oak"]),
    ],
)
def test_documents_are_sorted_by_fields(searcher: Searcher, sort: tuple[Sort, ...], begins: list[str]) -> None:
    """Those without a value come last, in both directions; a sort makes the search one by words."""
    result = searcher.search(Request("", sort=sort))
    assert ids(result)[: len(begins)] == begins
    assert set(ids(result)) == EVERY
    assert searcher.search(Request("rivers", sort=sort)).mode is Mode.KEYWORD


def test_a_field_and_the_score_can_decide_together(searcher: Searcher) -> None:
    """In the order in which they are given."""
    result = searcher.search(Request("rivers bridges", sort=(Sort("year"), Sort("_score", descending=True))))
    assert ids(result) == ["river", "bridge", "canal"]
    assert all(hit.score for hit in result.hits)
    assert ids(searcher.search(Request("granite", Mode.KEYWORD, sort=(Sort("_score"),)))) == ["gravel", "rock"]


def test_pages_do_not_overlap(searcher: Searcher) -> None:
    """Though all documents match alike."""
    pages = [searcher.search(Request("", size=3, offset=offset)) for offset in (0, 3, 6)]
    assert sorted(id_ for page in pages for id_ in ids(page)) == sorted(EVERY)
    assert [dict(hit.ranks) for hit in pages[1].hits] == [{"keyword": 4}, {"keyword": 5}, {"keyword": 6}]
    assert ids(searcher.search(Request("", size=3, offset=7))) == []


@pytest.mark.parametrize(
    ("request_", "part", "said"),
    [
        (Request("", size=10, offset=9_991), "offset", "ask for `paged` and follow the cursors"),
        (Request("x", Mode.HYBRID, size=10, offset=95), "offset", "fusion.window"),
        (Request("x", Mode.VECTOR, size=101), "offset", "fusion.window"),
        (Request("", size=1_001), "size", "from 0 to 1,000"),
        (Request("", size=-1), "size", "from 0 to 1,000"),
        (Request("", offset=-1), "offset", "pages begin at 0"),
        (Request("x" * 2_001), "text", "at most 2,000"),
        (Request("", sort=(Sort("body"),)), "sort.0.field", "`keyword: true`"),
        (Request("", sort=(Sort("year"), Sort("yaer"))), "sort.1.field", "did you mean year?"),
        (Request("", sort=(Sort("comments.stars"),)), "sort.0.field", "lies in the nested field comments"),
        (Request("", sort=(Sort("span"),)), "sort.0.field", "holds ranges"),
        (Request("x", Mode.HYBRID, sort=(Sort("year"),)), "sort", "is sorted by score"),
        (Request("x", Mode.VECTOR, paged=True), "paged", "has no cursors"),
        (Request("x", Mode.VECTOR, cursor="x"), "cursor", "has no cursors"),
        (Request("", paged=True, offset=1), "offset", "no offset"),
        (Request("", cursor=""), "cursor", "none that this search has given"),
        (Request("", paged=True, size=0), "size", "no size"),
        (Request("", fields=("nope",)), "fields.0", "there is no field"),
        (Request("", fields=("title", "_syncer")), "fields.1", "there is no field"),
        (Request("", fields=("embedding",)), "fields.0", "there is no field"),
        (Request("", fields=("title.keyword",)), "fields.0", "did you mean title?"),
        (Request("x", words=Words(fields=("year",))), "words.fields.0", "year is no text"),
        (Request("x", words=Words(fields=("comments.body",))), "words.fields.0", "lies in the nested field"),
        (Request("x", words=Words(fuzziness="3")), "words.fuzziness", "is not 0, 1, 2 or AUTO"),
        (Request("x" * 257, words=Words(fuzziness="1")), "words.fuzziness", "at most 256 characters"),
        (Request("x", words=Words(minimum_should_match="all")), "words.minimum_should_match", "write 2, -1, 75%"),
        (Request("", routing="x" * 513), "routing", "at most 512"),
    ],
)
def test_what_cannot_be_meant_is_refused(searcher: Searcher, request_: Request, part: str, said: str) -> None:
    """With what of it, and what to do."""
    with pytest.raises(RequestInvalid) as refused:
        searcher.search(request_)
    assert refused.value.part == part
    assert said in str(refused.value)


def test_documents_are_cut_down_to_fields(searcher: Searcher) -> None:
    """Objects whole or in part, and what is only kept; nothing at all where none is asked for."""
    everything = Request("", conditions=(Exists("author.name"),), fields=("title", "author.name"))
    assert searcher.search(everything).hits[0].source == {"title": "A poem", "author": {"name": "Rilke"}}
    assert searcher.search(replace(everything, fields=("author",))).hits[0].source == {
        "author": {"name": "Rilke", "country": "AT"}
    }
    assert searcher.search(replace(everything, fields=())).hits[0].source == {}
    oak = Request("oak", Mode.HYBRID, size=1, fields=("raw.x", "attributes.wood"))
    assert searcher.search(oak).hits[0].source in ({"raw": {"x": 1}, "attributes": {"wood": "hard"}}, {})


def walk(searcher: Searcher, request: Request) -> list[Result]:
    """Return all pages, by their cursors."""
    pages = [searcher.search(replace(request, paged=True))]
    while pages[-1].cursor:
        assert len(pages) < 20
        pages.append(searcher.search(replace(request, cursor=pages[-1].cursor)))
    return pages


@pytest.mark.parametrize("sort", [(), (Sort("year"),), (Sort("title", descending=True), Sort("_score"))])
@pytest.mark.parametrize("size", [1, 3, 7, 10])
def test_cursors_lead_to_every_document_once(searcher: Searcher, sort: tuple[Sort, ...], size: int) -> None:
    """In the order of one large page; the last page has none."""
    request = Request("", sort=sort, size=size)
    pages = walk(searcher, request)
    found = [hit for page in pages for hit in page.hits]
    assert sorted(hit.id for hit in found) == sorted(EVERY)
    assert [hit.ranks["keyword"] for hit in found] == list(range(1, len(EVERY) + 1))
    assert {page.total for page in pages} == {len(EVERY)}
    assert len(pages) == -(-len(EVERY) // size)
    if sort and sort[0].field == "title":
        assert [hit.id for hit in found] == ids(searcher.search(replace(request, size=10)))


def test_pages_of_words_go_on_where_they_ended(searcher: Searcher) -> None:
    """By score, with facets and another number of documents on each page."""
    request = Request("rivers granite", Mode.KEYWORD, size=2, facets={"tags": TermsFacet("tags")})
    whole = searcher.search(replace(request, size=10))
    first = searcher.search(replace(request, paged=True))
    second = searcher.search(replace(request, cursor=first.cursor, size=5))
    assert ids(first) + ids(second) == ids(whole)
    assert first.facets == second.facets == whole.facets
    assert second.cursor is None


def test_a_cursor_sees_the_index_as_it_was(open_searcher: Open, elastic: Elastic, index_prefix: str) -> None:
    """What comes meanwhile is on no later page, and shifts none."""
    searched = filled(elastic, index_prefix)
    searcher, request = open_searcher(searched), Request("", sort=(Sort("title"),), size=4)
    before = ids(searcher.search(replace(request, size=10)))
    first = searcher.search(replace(request, paged=True))
    late = Document(Draft(("late",), json.dumps({"title": "Aardvark"}), 1, {}), {}, 2)
    ElasticSink(elastic.client, write_alias(f"{index_prefix}-1")).write([late])
    elastic.client.indices.refresh(index=searched.alias)
    second = searcher.search(replace(request, cursor=first.cursor))
    assert ids(first) + ids(second) == before
    assert "late" in ids(searcher.search(replace(request, size=10)))


def test_a_cursor_is_of_its_search_alone(open_searcher: Open, searched: Searched) -> None:
    """Not without its conditions, which may keep somebody to his own; nor with another secret, or for another alias."""
    searcher = open_searcher(searched)
    request = Request("", size=1, conditions=(Term("tags", ("works",)),))
    cursor = searcher.search(replace(request, paged=True)).cursor
    assert cursor
    for wrong in (
        replace(request, cursor=cursor, conditions=()),
        replace(request, cursor=cursor, text="bridge"),
        replace(request, cursor=cursor, sort=(Sort("year"),)),
        replace(request, cursor=cursor, routing="x"),
        replace(request, cursor=cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")),
    ):
        with pytest.raises(RequestInvalid, match="none that this search has given") as refused:
            searcher.search(wrong)
        assert refused.value.part == "cursor"
    with pytest.raises(RequestInvalid, match="none that this search has given"):
        open_searcher(searched, secret=b"other").search(replace(request, cursor=cursor))
    assert ids(open_searcher(searched).search(replace(request, cursor=cursor))) != []


def test_a_cursor_that_is_too_old_is_told(searcher: Searcher, clock: MemoryClock) -> None:
    """By our clock; and by the server, where the last page was read already and the point in time is gone."""
    request = Request("", size=4)
    first = searcher.search(replace(request, paged=True))
    last = searcher.search(replace(request, cursor=first.cursor))
    assert last.cursor is None
    with pytest.raises(RequestInvalid, match="has expired"):
        searcher.search(replace(request, cursor=first.cursor))
    other = searcher.search(replace(request, paged=True))
    clock.advance(KEEP_ALIVE.total_seconds() + 1)
    with pytest.raises(RequestInvalid, match="has expired"):
        searcher.search(replace(request, cursor=other.cursor))


def test_no_point_in_time_is_left_open(searcher: Searcher, real_elastic: Elastic, searched: Searched) -> None:
    """Neither after the last page nor after a search that failed."""

    def open_contexts() -> int:
        stats = real_elastic.client.indices.stats(index=searched.alias, metric="search")
        return int(stats["_all"]["total"]["search"]["open_contexts"])

    before = open_contexts()
    walk(searcher, Request("", size=2))
    with pytest.raises(RequestInvalid, match="date"):
        searcher.search(Request("", paged=True, conditions=(Range("seen", gte="never"),)))
    assert open_contexts() == before


@pytest.mark.usefixtures("real_elastic")
def test_a_cursor_of_a_deleted_index_is_told_to_have_expired(
    open_searcher: Open, elastic: Elastic, index_prefix: str
) -> None:
    """As after a rebuild. Whoever were told to come again would do so for ever."""
    searched = filled(elastic, index_prefix)
    searcher, request = open_searcher(searched), Request("", size=1)
    cursor = searcher.search(replace(request, paged=True)).cursor
    indices = ElasticIndices(elastic.client, mapping(FIELDS, VECTORS), IndexSettings(replicas=0))
    indices.create(f"{index_prefix}-2", {"pipeline": "p", "fingerprint": {"embedding": None}})
    indices.publish(f"{index_prefix}-2", searched.alias)
    elastic.client.indices.delete(index=f"{index_prefix}-1")
    with pytest.raises(RequestInvalid, match="has expired") as refused:
        searcher.search(replace(request, cursor=cursor))
    assert refused.value.part == "cursor"
