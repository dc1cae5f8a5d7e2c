"""The fields of a document, and which Elasticsearch type each Postgres type becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the document, filled from one column."""

    name: str
    column: str
    #: Elasticsearch's name of the type.
    type: str
    analyzer: str | None = None
    #: With a `keyword` sub-field, for exact matches, sorting and facets.
    keyword: bool = False
    #: With an `autocomplete` sub-field of edge n-grams.
    autocomplete: bool = False
    #: Weight in keyword search.
    boost: float = 1.0
    #: Further mapping parameters, as Elasticsearch names them.
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VectorField:
    """A field that holds the embedding of a text made of other fields."""

    name: str
    #: Field names in braces; doubled braces stand for themselves: `{title}\n\n{body}`.
    template: str
    dims: int
    similarity: str = "cosine"
