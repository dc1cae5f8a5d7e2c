"""A search, as its caller wishes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from syncer.core.search.condition import Condition
from syncer.core.search.facet import Facet
from syncer.core.search.fusion import Fusion

#: Elasticsearch's `index.max_result_window`: a page further down costs every shard all documents above it.
WINDOW_MAX = 10_000

#: What documents are sorted by where nothing else is said: how well they match.
SCORE = "_score"


class Mode(StrEnum):
    """How to search."""

    #: Both of the others, fused by rank.
    HYBRID = "hybrid"
    #: By the words of the query.
    KEYWORD = "keyword"
    #: By the meaning of the query, as the model has it.
    VECTOR = "vector"


class Match(StrEnum):
    """How the words of a query are matched with several fields; the words are Elasticsearch's."""

    BEST_FIELDS = "best_fields"
    MOST_FIELDS = "most_fields"
    CROSS_FIELDS = "cross_fields"
    PHRASE = "phrase"


@dataclass(frozen=True, slots=True)
class Words:
    """How a search by words is done."""

    match: Match = Match.BEST_FIELDS
    #: Of those declared; empty: all text fields, with their boosts.
    fields: tuple[str, ...] = ()
    #: Edits that a word may be away: `0`, `1`, `2` or `AUTO`; None: no.
    fuzziness: str | None = None
    #: As Elasticsearch writes it: `2`, `75%`.
    minimum_should_match: str | None = None


@dataclass(frozen=True, slots=True)
class Sort:
    """One thing to sort by; documents without a value come last."""

    #: A field with exact values, or `_score`.
    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A search. All fields that it names are paths in the document, as the pipeline declares them."""

    #: Empty: all documents that meet the conditions, which no model is needed for.
    text: str = ""
    #: None: hybrid where the pipeline has an embedding and what is asked for does not take a search by words, else so.
    mode: Mode | None = None
    words: Words = Words()
    fusion: Fusion = field(default_factory=Fusion)
    #: All of which a document must meet.
    conditions: tuple[Condition, ...] = ()
    #: Empty: by score. Only searches by words, and without a text, can be sorted otherwise.
    sort: tuple[Sort, ...] = ()
    size: int = 10
    #: Documents to leave out before the page; with `size` at most `WINDOW_MAX`, of searches by meaning `fusion.window`.
    offset: int = 0
    #: Ask for a cursor to the next page, which sees the index as it is now. Not for hybrid and vector searches.
    paged: bool = False
    #: Of an earlier page of the same search; in place of an offset.
    cursor: str | None = None
    #: By name. Each counts what meets the conditions on fields other than its own, so that another value can be chosen.
    facets: Mapping[str, Facet] = field(default_factory=dict)
    #: Text fields to return with the words found in them marked.
    highlight: tuple[str, ...] = ()
    #: What to return of documents; None: all that is declared, but for vectors.
    fields: tuple[str, ...] | None = None
    #: Documents of other shards than this one's are not asked: the value of the pipeline's routing column.
    routing: str | None = None
    #: Ask for a spelling that more documents have; there is none for texts longer than `INEXACT_MAX`.
    did_you_mean: bool = False
    #: Have each hit explain its score.
    explain: bool = False
