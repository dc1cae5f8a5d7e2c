"""A search, as query parameters write it: the common part of what a body can say, checked as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_args

from pydantic import Field, ValidationError

from syncer.app.api.body import Body
from syncer.app.api.error import invalid, misread
from syncer.app.api.facet import Interval
from syncer.app.api.search_body import FoundBody, SearchBody
from syncer.core.search.condition import Condition
from syncer.core.search.limit import (
    COMPLETIONS_MAX,
    CONDITIONS_MAX,
    FACETS_MAX,
    FIELDS_MAX,
    SIZE_MAX,
    SORTS_MAX,
    TEXT_MAX,
)
from syncer.core.search.request import SCORE, Mode, Request

_Pipeline = Annotated[str | None, Field(max_length=100, description="May be left out where there is one alone.")]
_Text = Annotated[str, Field(max_length=TEXT_MAX, examples=["late commits"])]
_Filter = Annotated[
    tuple[str, ...],
    Field(
        max_length=CONDITIONS_MAX,
        description="`field:value`, an exact value. Several times: of one field either value, of others all.",
        examples=[["status:published", "tags:postgres"]],
    ),
]
_Range = Annotated[
    tuple[str, ...],
    Field(
        max_length=CONDITIONS_MAX,
        description="`field:start..end`, with the start and without the end; one of them may be left out.",
        examples=[["published_at:2025-01-01..2026-01-01"]],
    ),
]
_Facet = Annotated[
    tuple[str, ...],
    Field(
        max_length=FACETS_MAX,
        description="`field`, `field:20` for more values than 10, or `field:month` for dates.",
        examples=[["tags", "published_at:month"]],
    ),
]


class PipelineParameters(Body):
    """Beside a body."""

    pipeline: _Pipeline = None


class ConditionParameters(PipelineParameters):
    """What documents must meet."""

    filter: _Filter = ()
    range: _Range = ()

    def conditions(self) -> tuple[Condition, ...]:
        body = _checked(FoundBody, {"conditions": _conditions(self)})
        return body.request().conditions


class SuggestParameters(ConditionParameters):
    """What somebody has begun to type."""

    q: Annotated[str, Field(min_length=1, max_length=TEXT_MAX, examples=["post"])]
    field: Annotated[str | None, Field(description="With `autocomplete`; left out: all of them.")] = None
    size: Annotated[int, Field(ge=1, le=COMPLETIONS_MAX)] = 8


class SimilarParameters(ConditionParameters):
    """How many."""

    size: Annotated[int, Field(ge=1, le=SIZE_MAX)] = 10


class FacetParameters(ConditionParameters):
    """What is looked for, and what is counted of it."""

    q: _Text = ""
    mode: Mode | None = None
    facet: _Facet = ()
    routing: Annotated[str | None, Field(description="The value of the pipeline's routing column.")] = None

    def request(self) -> Request:
        """Return what is asked of the searcher. Raises ApiError."""
        return _checked(FoundBody, self._found()).request()

    def _found(self) -> dict[str, Any]:
        return {
            "text": self.q,
            "mode": self.mode,
            "conditions": _conditions(self),
            "facets": dict(_facet(text) for text in _listed(self.facet)),
            "routing": self.routing,
        }


class SearchParameters(FacetParameters):
    """A search."""

    size: Annotated[int, Field(description=f"At most {SIZE_MAX:,}.")] = 10
    offset: Annotated[int, Field(description="With `size` at most 10,000; further down with `paged`.")] = 0
    sort: Annotated[
        tuple[str, ...],
        Field(
            max_length=SORTS_MAX,
            description="`field`, `-field` for the greatest first, or `_score`.",
            examples=[["-published_at"]],
        ),
    ] = ()
    highlight: Annotated[tuple[str, ...], Field(max_length=FIELDS_MAX, examples=[["title", "body"]])] = ()
    fields: Annotated[
        tuple[str, ...], Field(max_length=FIELDS_MAX, description="What to return; left out: everything.")
    ] = ()
    paged: Annotated[bool, Field(description="Ask for a cursor to the next page.")] = False
    cursor: Annotated[str | None, Field(description="Of the page before, with the same search.")] = None
    did_you_mean: Annotated[bool, Field(description="Ask for a spelling that more documents have.")] = False
    explain: Annotated[bool, Field(description="Have each hit explain its score.")] = False

    def request(self) -> Request:
        found = self._found() | {
            "size": self.size,
            "offset": self.offset,
            "sort": [_sort(text) for text in _listed(self.sort)],
            "highlight": _listed(self.highlight),
            "fields": _listed(self.fields) or None,
            "paged": self.paged,
            "cursor": self.cursor,
            "did_you_mean": self.did_you_mean,
            "explain": self.explain,
        }
        return _checked(SearchBody, found).request()


_Found = TypeVar("_Found", bound=FoundBody)


def _checked(body: type[_Found], values: Mapping[str, Any]) -> _Found:
    try:
        return body.model_validate(values)
    except ValidationError as error:
        raise misread(error.errors(include_url=False)[0], by_parameters=True) from error


def _conditions(given: ConditionParameters) -> Sequence[Mapping[str, Any]]:
    values: dict[str, list[str]] = {}
    for text in given.filter:
        field, value = _parted("filter", text, "field:value")
        values.setdefault(field, []).append(value)
    terms = [{"type": "term", "field": field, "values": wanted} for field, wanted in values.items()]
    return [*terms, *(_range(text) for text in given.range)]


def _range(text: str) -> Mapping[str, Any]:
    field, bounds = _parted("range", text, "field:start..end")
    start, dots, end = bounds.partition("..")
    if not dots or not (start or end):
        raise invalid("range", f"{text[:100]!r} is no range", "write field:start..end, one of them may be left out")
    return {"type": "range", "field": field, "gte": start or None, "lt": end or None}


def _facet(text: str) -> tuple[str, Mapping[str, Any]]:
    field, colon, option = text.rpartition(":")
    if colon and option in get_args(Interval):
        return field, {"type": "date", "field": field, "interval": option}
    if colon and option.isdecimal():
        return field, {"type": "terms", "field": field, "size": int(option[:6])}
    return text, {"type": "terms", "field": text}


def _sort(text: str) -> Mapping[str, Any]:
    field = text.removeprefix("-")
    return {"field": field, "descending": field != text or field == SCORE}


def _parted(parameter: str, text: str, form: str) -> tuple[str, str]:
    field, colon, value = text.partition(":")
    if not (field and colon and value):
        raise invalid(parameter, f"{text[:100]!r} is no condition", f"write {form}")
    return field, value


def _listed(values: Iterable[str]) -> list[str]:
    """Return what is given in several parameters, or in one with commas."""
    return [part for value in values for part in value.split(",") if part]
