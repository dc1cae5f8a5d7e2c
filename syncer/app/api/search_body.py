"""A search, as the body of a request writes it: `core.search.request.Request`, with a bound on everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from syncer.app.api.body import Body, Path
from syncer.app.api.condition import ConditionBody
from syncer.app.api.facet import FacetBody, FacetName
from syncer.app.api.limits import CURSOR_CHARACTERS
from syncer.core.search.fusion import RANK_CONSTANT, Fusion
from syncer.core.search.limit import (
    CONDITIONS_MAX,
    FACETS_MAX,
    FIELDS_MAX,
    FUSED_MAX,
    ID_MAX,
    K_MAX,
    SIZE_MAX,
    SORTS_MAX,
    TEXT_MAX,
)
from syncer.core.search.request import WINDOW_MAX, Match, Mode, Request, Sort, Words

_Weight = Annotated[float, Field(ge=0, le=1000)]
_Paths = Annotated[tuple[Path, ...], Field(max_length=FIELDS_MAX)]

EXAMPLES: Mapping[str, Any] = {
    "search": {"text": "late commits", "size": 5, "highlight": ["body"]},
    "filters and facets": {
        "text": "vaccines",
        "mode": "keyword",
        "words": {"match": "best_fields", "fuzziness": "AUTO"},
        "conditions": [
            {"type": "term", "field": "status", "values": ["published"]},
            {"type": "range", "field": "published_at", "gte": "2025-01-01"},
            {"type": "not", "condition": {"type": "term", "field": "tags", "values": ["draft"]}},
        ],
        "facets": {"tags": {"type": "terms", "field": "tags", "size": 20}},
        "sort": [{"field": "published_at", "descending": True}],
        "size": 20,
    },
    "hybrid": {"text": "heart attack", "mode": "hybrid", "fusion": {"k": 60, "window": 100, "vector": 1.5}},
}


class WordsBody(Body):
    """How a search by words is done."""

    match: Match = Match.BEST_FIELDS
    """How words are matched with several fields."""
    fields: _Paths = ()
    """Left out: all text fields, with their boosts."""
    fuzziness: Annotated[str, StringConstraints(max_length=20)] | None = None
    """Edits that a word may be away: `0`, `1`, `2` or `AUTO`."""
    minimum_should_match: Annotated[str, StringConstraints(max_length=100)] | None = None
    """How many of the words a document must have: `2`, `75%`."""

    def words(self) -> Words:
        return Words(self.match, self.fields, self.fuzziness, self.minimum_should_match)


class FusionBody(Body):
    """How the rankings of a hybrid search become one."""

    k: Annotated[int, Field(ge=1, le=K_MAX)] = RANK_CONSTANT
    """The smaller, the more the first ranks count."""
    window: Annotated[int, Field(ge=1, le=FUSED_MAX)] = 100
    """How many of the best of each ranking are fused."""
    keyword: _Weight = 1.0
    vector: _Weight = 1.0

    def fusion(self) -> Fusion:
        return Fusion(self.k, self.window, self.keyword, self.vector)


class SortBody(Body):
    """One thing to sort by."""

    field: Path
    """A field with exact values, or `_score`."""
    descending: bool = False


class FoundBody(Body):
    """What is looked for, without what is shown of it."""

    text: Annotated[str, StringConstraints(max_length=TEXT_MAX)] = ""
    """Left out: all documents that meet the conditions."""
    mode: Mode | None = None
    """Left out: `hybrid` where the pipeline has an embedding, else `keyword`."""
    words: WordsBody = WordsBody()
    fusion: FusionBody = FusionBody()
    conditions: Annotated[tuple[ConditionBody, ...], Field(max_length=CONDITIONS_MAX)] = ()
    """All of which a document must meet."""
    facets: Annotated[Mapping[FacetName, FacetBody], Field(max_length=FACETS_MAX)] = Field(default_factory=dict)
    """By a name of yours. Each counts what meets the conditions on fields other than its own."""
    routing: Annotated[str, StringConstraints(min_length=1, max_length=ID_MAX)] | None = None
    """The value of the pipeline's routing column: other shards are not asked."""

    def request(self) -> Request:
        """Return what is asked of the searcher."""
        return Request(
            text=self.text,
            mode=self.mode,
            words=self.words.words(),
            fusion=self.fusion.fusion(),
            conditions=tuple(each.condition() for each in self.conditions),
            facets={name: facet.facet() for name, facet in self.facets.items()},
            routing=self.routing,
            size=0,
        )


class SearchBody(FoundBody):
    """A search."""

    model_config = ConfigDict(json_schema_extra={"examples": list(EXAMPLES.values())})

    sort: Annotated[tuple[SortBody, ...], Field(max_length=SORTS_MAX)] = ()
    """Left out: the best first. Not for hybrid and vector searches."""
    size: Annotated[int, Field(ge=0, le=SIZE_MAX)] = 10
    offset: Annotated[int, Field(ge=0, le=WINDOW_MAX)] = 0
    """Documents before the page; with `size` at most 10,000, further down with `paged` and `cursor`."""
    paged: bool = False
    """Ask for a cursor to the next page. Not for hybrid and vector searches."""
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=CURSOR_CHARACTERS)] | None = None
    """Of the page before, with the same search."""
    highlight: _Paths = ()
    """Text fields to return with the words found in them marked."""
    fields: _Paths | None = None
    """What to return of documents; left out: all that is declared, but for vectors."""
    did_you_mean: bool = False
    """Ask for a spelling that more documents have."""
    explain: bool = False
    """Have each hit explain its score."""

    def request(self) -> Request:
        return replace(
            super().request(),
            sort=tuple(Sort(each.field, each.descending) for each in self.sort),
            size=self.size,
            offset=self.offset,
            paged=self.paged,
            cursor=self.cursor,
            highlight=self.highlight,
            fields=self.fields,
            did_you_mean=self.did_you_mean,
            explain=self.explain,
        )
