"""What a search finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Mode(StrEnum):
    """How to search."""

    #: Both of the others, fused by rank.
    HYBRID = "hybrid"
    #: By the words of the query.
    KEYWORD = "keyword"
    #: By the meaning of the query, as the model has it.
    VECTOR = "vector"


@dataclass(frozen=True, slots=True)
class Hit:
    """One document that was found."""

    id: str
    #: Comparable within one search only.
    score: float
    #: The document, without its vectors.
    source: Mapping[str, Any]
    #: By mode, its rank there, from 1: `{"keyword": 1, "vector": 3}`.
    ranks: Mapping[str, int]
