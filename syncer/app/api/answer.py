"""Answers as JSON, written at once: checking them against a model again would take longer than the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Response

from syncer.app.api.error import ErrorAnswer
from syncer.core.search.facet import Bucket
from syncer.core.search.result import Completion, Result

_HIT = {
    "id": "42",
    "score": 0.0325,
    "source": {"title": "Late commits", "tags": ["postgres"]},
    "ranks": {"keyword": 1, "vector": 1},
    "highlights": {"title": ["Late <mark>commits</mark>"]},
    "explanations": {},
}
_TAGS = [{"value": "postgres", "count": 12, "start": None, "end": None}]
_RESULT = {
    "mode": "hybrid",
    "hits": [_HIT],
    "total": 1,
    "exact": True,
    "facets": {"tags": _TAGS},
    "cursor": None,
    "did_you_mean": None,
}


@dataclass(frozen=True, slots=True)
class Counts:
    """What `/facets` answers."""

    #: Documents that match.
    total: int
    #: False: there are at least `total`.
    exact: bool
    facets: Mapping[str, Sequence[Bucket]]


@dataclass(frozen=True, slots=True)
class Completions:
    """What `/suggest` answers."""

    completions: Sequence[Completion]


@dataclass(frozen=True, slots=True)
class Document:
    """What `/documents` answers."""

    id: str
    source: Mapping[str, Any]


class Answer(Response):
    """Implements a response of a dataclass of `core.search.result`, or of this file."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        try:
            return orjson.dumps(content)
        except (TypeError, ValueError):
            # A lone surrogate, which a `json` column may hold; the standard library writes it as an escape.
            return json.dumps(content, default=_plain).encode()


def _plain(value: Any) -> Any:
    return {name: getattr(value, name) for name in value.__slots__}


def described(model: type, example: Any, *errors: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of an endpoint's answers; errors: besides those that every endpoint has."""
    return {
        200: {"model": model, "content": {"application/json": {"example": example}}},
        **{status: {"model": ErrorAnswer, "description": _ERRORS[status]} for status in (*_EVERYWHERE, *errors)},
    }


_EVERYWHERE = (400, 401, 403, 404, 413, 422, 500, 503, 504)
_ERRORS = {
    400: "The body is not JSON.",
    401: "A token is needed, or the one given is not known.",
    403: "The token is not for that.",
    404: "There is no such pipeline or document, or the token may not see it.",
    413: "The body is too long.",
    422: "The request cannot be meant; `error.field` says what of it.",
    500: "A bug, or the operator has to mend something.",
    503: "Something is away, or too many requests are under way; `Retry-After` says when to ask again.",
    504: "It took too long.",
}

RESULT = described(Result, _RESULT)
COUNTS = described(Counts, {"total": 12, "exact": True, "facets": {"tags": _TAGS}})
COMPLETIONS = described(Completions, {"completions": [{"id": "42", "field": "title", "text": "Postgres in practice"}]})
DOCUMENT = described(Document, {"id": "42", "source": _HIT["source"]})
