"""One document: by its id, what is like it, and what is offered while somebody types."""

from __future__ import annotations

import json
import struct

import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.change import Document, Draft
from syncer.core.error import RequestInvalid
from syncer.core.field import Field, VectorField
from syncer.core.index import write_alias
from syncer.core.search.condition import Exists, Term
from syncer.core.search.fusion import RANK_CONSTANT
from syncer.core.search.request import Mode, Request
from syncer.core.search.result import Completion
from syncer.core.vector import Chunks, Vector
from syncer.ports import Searcher
from tests.adapters.elastic.search.conftest import Open
from tests.adapters.elastic.search.library import DOCUMENTS, FIELDS
from tests.conftest import Elastic


def test_a_document_is_read_by_its_id(searcher: Searcher) -> None:
    """Without vectors, and only where it meets the conditions."""
    assert searcher.document("canal") == DOCUMENTS[1][1]
    assert searcher.document("canal", conditions=(Term("tags", ("works",)),)) == DOCUMENTS[1][1]
    assert searcher.document("river", conditions=(Term("tags", ("works",)),)) is None


@pytest.mark.parametrize("id_", ["none", "", "x" * 600, "_search", "../canal", "*", "canal/_source"])
def test_a_document_that_is_not_there_is_none(searcher: Searcher, id_: str) -> None:
    """Whatever the id is made of."""
    assert searcher.document(id_) is None
    assert searcher.similar(id_) is None


def test_what_is_near_to_a_document_is_like_it(searcher: Searcher) -> None:
    """By its vector, without itself, within the conditions."""
    result = searcher.similar("river", size=2)
    assert result is not None
    assert [hit.id for hit in result.hits] == ["canal", "bridge"]
    assert [dict(hit.ranks) for hit in result.hits] == [{"vector": 1}, {"vector": 2}]
    assert result.mode is Mode.VECTOR
    assert result.hits[0].source == DOCUMENTS[1][1]
    within = searcher.similar("canal", conditions=(Exists("tags"),))
    assert within is not None
    assert [hit.id for hit in within.hits] == ["bridge", "river"]
    assert searcher.similar("oak", conditions=(Exists("tags"),)) is None


def test_without_vectors_shared_words_are_likeness(open_searcher: Open, searched: Searched) -> None:
    """Rarer words count for more."""
    result = open_searcher(Searched(searched.alias, FIELDS), None).similar("canal")
    assert result is not None
    assert [hit.id for hit in result.hits] == ["bridge"]
    assert result.mode is Mode.KEYWORD
    nothing = open_searcher(Searched(searched.alias, [Field("tags", "tags", "keyword")]), None).similar("gravel")
    assert nothing is not None
    assert (nothing.hits, nothing.total) == ((), 0)


def packed(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


@pytest.fixture
def chapters(elastic: Elastic, index_prefix: str) -> Searched:
    """Two vector fields, one of them with a vector for each piece of a text."""
    name, fields = f"{index_prefix}-1", [Field("tag", "tag", "keyword")]
    vectors = [
        VectorField("whole", "{tag}", 2, index="flat"),
        VectorField("pieces", "{tag}", 2, index="flat", chunks=Chunks(256, 32)),
    ]
    indices = ElasticIndices(elastic.client, mapping(fields, vectors), IndexSettings(replicas=0))
    indices.create(name, {"pipeline": "p"})
    made: dict[str, dict[str, Vector]] = {
        "a": {"whole": packed(1, 0), "pieces": (packed(0, 1), packed(0.1, 1))},
        "b": {"whole": packed(1, 0.1), "pieces": (packed(1, 0), packed(0, -1))},
        "c": {"whole": packed(-1, 0), "pieces": (packed(-1, 0), packed(0, 1))},
        "d": {},
    }
    writes = [Document(Draft((key,), json.dumps({"tag": key}), 1, {}), of, 1) for key, of in made.items()]
    ElasticSink(elastic.client, write_alias(name)).write(writes)
    indices.publish(name, f"{index_prefix}-all")
    return Searched(f"{index_prefix}-all", fields, vectors)


def test_several_vector_fields_are_fused_by_rank(open_searcher: Open, chapters: Searched) -> None:
    """Each with an equal share, however far apart its scores are; of pieces the best counts."""
    searcher = open_searcher(chapters, lambda _: packed(0.2, 1))
    result = searcher.search(Request("x", Mode.VECTOR))
    ranks = {hit.id: dict(hit.ranks) for hit in result.hits}
    assert ranks == {
        "b": {"vector.whole": 1, "vector.pieces": 3},
        "a": {"vector.whole": 2, "vector.pieces": 1},
        "c": {"vector.whole": 3, "vector.pieces": 2},
    }
    assert [hit.id for hit in result.hits] == ["a", "b", "c"]
    assert result.hits[0].score == pytest.approx(0.5 / (RANK_CONSTANT + 2) + 0.5 / (RANK_CONSTANT + 1))
    assert [hit.source for hit in result.hits] == [{"tag": "a"}, {"tag": "b"}, {"tag": "c"}]


def test_likeness_takes_all_vectors_of_a_document(open_searcher: Open, chapters: Searched) -> None:
    """Of a text in pieces their mean; a document without any, and without words, is like nothing."""
    result = open_searcher(chapters).similar("a")
    assert result is not None
    ranks = {hit.id: dict(hit.ranks) for hit in result.hits}
    assert ranks == {"b": {"vector.whole": 1, "vector.pieces": 2}, "c": {"vector.whole": 2, "vector.pieces": 1}}
    nothing = open_searcher(chapters).similar("d")
    assert nothing is not None
    assert nothing.total == 0


def test_what_has_no_vector_is_not_near(open_searcher: Open, chapters: Searched) -> None:
    """Though it is all that meets the conditions."""
    searcher = open_searcher(chapters)
    within = (Term("tag", ("d", "c")),)
    assert [hit.id for hit in searcher.search(Request("x", Mode.VECTOR, conditions=within)).hits] == ["c"]


def test_what_is_typed_is_completed(searcher: Searcher) -> None:
    """From the fields that can, those that begin so first; words may stand anywhere."""
    assert searcher.suggest("ri") == [
        Completion("river", "title", "Rivers"),
        Completion("poem", "author.name", "Rilke"),
    ]
    assert searcher.suggest("ri", field="author.name") == [Completion("poem", "author.name", "Rilke")]
    assert [one.id for one in searcher.suggest("GRANITE ki")] == ["rock"]
    assert [one.id for one in searcher.suggest("ri", conditions=(Exists("tags"),))] == ["river"]
    assert len(searcher.suggest("ri", size=1)) == 1


@pytest.mark.parametrize("text", ["", " ", "zz", "poem granite", "&%"])
def test_what_nothing_goes_on_from_has_no_completion(searcher: Searcher, text: str) -> None:
    """Nor has what is blank."""
    assert searcher.suggest(text) == []


def test_a_text_is_completed_once(open_searcher: Open, elastic: Elastic, index_prefix: str) -> None:
    """However many documents have it; of several values only those that go on so."""
    name, fields = f"{index_prefix}-1", [Field("title", "title", "text", autocomplete=True)]
    indices = ElasticIndices(elastic.client, mapping(fields, []), IndexSettings(replicas=0))
    indices.create(name, {"pipeline": "p"})
    titles = ["Winter", "Winter", "Windows", ["Wine", "Autumn"]]
    writes = [Document(Draft((str(n),), json.dumps({"title": title}), 1, {}), {}, 1) for n, title in enumerate(titles)]
    ElasticSink(elastic.client, write_alias(name)).write(writes)
    elastic.client.indices.refresh(index=name)
    found = open_searcher(Searched(name, fields), None).suggest("win")
    assert sorted(one.text for one in found) == ["Windows", "Wine", "Winter"]


@pytest.mark.parametrize(
    ("options", "part"),
    [({"field": "body"}, "field"), ({"field": "nope"}, "field"), ({"size": 0}, "size"), ({"size": 51}, "size")],
)
def test_what_completes_nothing_is_refused(searcher: Searcher, options: dict[str, object], part: str) -> None:
    """With what of it."""
    with pytest.raises(RequestInvalid) as refused:
        searcher.suggest("ri", **options)  # type: ignore[arg-type]
    assert refused.value.part == part
