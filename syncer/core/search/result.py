"""What a search finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncer.core.search.facet import Bucket
from syncer.core.search.request import Mode


@dataclass(frozen=True, slots=True)
class Hit:
    """One document that was found."""

    id: str
    #: Comparable within one search only; None where documents are sorted by something else.
    score: float | None
    #: The document, without its vectors.
    source: Mapping[str, Any]
    #: By ranking, the hit's rank there, from 1: `{"keyword": 1, "vector": 3}`; of several vector fields each makes one,
    #: `vector.FIELD`. Nothing where Elasticsearch has fused them.
    ranks: Mapping[str, int]
    #: By field, pieces of its text as HTML: escaped, the words that were found in `<mark>`.
    highlights: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: By ranking, how Elasticsearch came to the score.
    explanations: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """A page of what was found."""

    mode: Mode
    hits: Sequence[Hit]
    #: Documents that match; of a search by meaning, where each does to some degree, those that can be paged to.
    total: int
    #: False: there are at least `total`.
    exact: bool
    facets: Mapping[str, Sequence[Bucket]] = field(default_factory=dict)
    #: To the next page; None: there is none, or no cursor was asked for.
    cursor: str | None = None
    #: The text in a spelling that more documents have.
    did_you_mean: str | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A document whose field goes on as somebody has begun to type."""

    id: str
    field: str
    #: The whole value.
    text: str
