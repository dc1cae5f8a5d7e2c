"""The search page, `/`: what the API does, for people. Without scripts too, by forms and links alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from syncer.app.api.error import not_found
from syncer.app.api.limits import NAME_CHARACTERS
from syncer.app.api.parameters import ConditionParameters
from syncer.app.api.scope import Caller, Scope, allowed, named
from syncer.app.web.facet_view import facets, groups
from syncer.app.web.marked import pieces, unmarked
from syncer.app.web.outline import Outline
from syncer.app.web.place import Place
from syncer.app.web.rendering import page
from syncer.app.web.search_view import HITS, Link, hit_view, page_links, text_of
from syncer.core.key import DOCUMENT_ID_BYTES_MAX
from syncer.core.search.fusion import Fusion
from syncer.core.search.limit import TEXT_MAX, VALUE_MAX
from syncer.core.search.path import values_at
from syncer.core.search.request import WINDOW_MAX, Mode, Sort
from syncer.core.search.request import Request as Search
from syncer.core.search.result import Result
from syncer.ports import Clock

#: Documents like another one: there is one page of them.
_SIMILAR = 20


class SearchPageParameters(ConditionParameters):
    """An address of the page."""

    q: Annotated[str, Field(max_length=TEXT_MAX)] = ""
    mode: Mode | None = None
    page: Annotated[int, Field(ge=1, le=WINDOW_MAX // HITS)] = 1
    sort: Annotated[str | None, Field(max_length=NAME_CHARACTERS)] = None
    similar: Annotated[str | None, Field(min_length=1, max_length=DOCUMENT_ID_BYTES_MAX)] = None
    bounded: Annotated[str | None, Field(max_length=NAME_CHARACTERS)] = None
    """What a form with bounds is about; it is answered with the address that has them."""
    start: Annotated[str, Field(max_length=VALUE_MAX)] = ""
    end: Annotated[str, Field(max_length=VALUE_MAX)] = ""

    def place(self, pipeline: str | None) -> Place:
        filters, ranges = tuple(dict.fromkeys(self.filter)), tuple(dict.fromkeys(self.range))
        return Place(pipeline, self.q, self.mode, filters, ranges, self.sort or None, self.page, self.similar)


class SearchPage:
    """Serves it."""

    def __init__(self, outlines: Mapping[str, Outline], clock: Clock, *, tokens: bool) -> None:
        """outlines: by pipeline. tokens: whether somebody has to say who he is."""
        self._outlines = outlines
        self._clock = clock
        self._tokens = tokens
        self.router = APIRouter(include_in_schema=False)
        self.router.add_api_route("/", self.show, response_class=Response)

    async def show(
        self, request: Request, access: Caller, parameters: Annotated[SearchPageParameters, Query()]
    ) -> Response:
        """Search, and return the page."""
        pipelines = allowed(request, access)
        scope = named(request, access, parameters.pipeline or pipelines[0])
        place = parameters.place(scope.pipeline if len(pipelines) > 1 else None)
        if parameters.bounded:
            bounds = f"{parameters.start.strip()}..{parameters.end.strip()}"
            return RedirectResponse(place.within(parameters.bounded, None if bounds == ".." else bounds).url, 303)
        # Before anything is asked: a filter that cannot be meant is told as such.
        parameters.conditions()
        outline = self._outlines[scope.pipeline]
        shown = {
            "place": place,
            "outline": outline,
            "pipeline": scope.pipeline,
            "pipelines": [Link(name, Place(name, place.text).url, name == scope.pipeline) for name in pipelines],
            "tokens": self._tokens,
            "status": not access.conditions,
        }
        if place.similar is not None:
            return await self._similar(scope, parameters, outline, place, shown)
        return await self._found(scope, parameters, outline, place, shown)

    async def _found(
        self,
        scope: Scope,
        parameters: SearchPageParameters,
        outline: Outline,
        place: Place,
        shown: Mapping[str, Any],
    ) -> Response:
        text = place.text.strip()
        counted = [each for each in outline.counted if scope.access.may_count(each.path)]
        ordered = place.sort is not None
        # Of what nobody looks for there is but one order: it waits for a text.
        mode = place.mode or (Mode.KEYWORD if ordered and text else outline.modes[0])
        request = Search(
            text=place.text,
            mode=mode if text else None,
            conditions=parameters.conditions(),
            sort=(Sort(place.sort.removeprefix("-"), place.sort.startswith("-")),) if place.sort else (),
            size=HITS,
            offset=(place.page - 1) * HITS,
            facets=facets(counted),
            highlight=outline.texts if text else (),
        )
        started = self._clock.monotonic()
        result = await scope.searcher.search(scope.access.held(request))
        milliseconds = (self._clock.monotonic() - started) * 1000
        other = await _other_spelling(scope, request, result) if place.page == 1 else None
        window = WINDOW_MAX if result.mode is Mode.KEYWORD else Fusion().window
        return page(
            "search.html",
            **shown,
            mode=mode,
            modes=[Link(each.value, place.by(each).url, each is mode) for each in outline.modes],
            result=result,
            counted=_how_many(result, bool(text), milliseconds),
            hits=[hit_view(hit, place, outline, result.mode) for hit in result.hits],
            groups=groups(counted, result.facets, result.total, place),
            chosen=_chosen(place),
            sorts=_sorts(place, outline, mode if text else Mode.KEYWORD),
            pages=page_links(place, result, window),
            did_you_mean=Link(other, place.of(other).url) if other else None,
            like=None,
        )

    async def _similar(
        self,
        scope: Scope,
        parameters: SearchPageParameters,
        outline: Outline,
        place: Place,
        shown: Mapping[str, Any],
    ) -> Response:
        key = place.similar or ""
        conditions = scope.access.within(parameters.conditions())
        started = self._clock.monotonic()
        result = await scope.searcher.similar(key, size=_SIMILAR, conditions=conditions)
        milliseconds = (self._clock.monotonic() - started) * 1000
        document = await scope.searcher.document(key, conditions=conditions)
        if result is None or document is None:
            raise not_found("similar", f"there is no document {key[:100]!r}")
        name = text_of(next(iter(values_at(outline.heading, document)), key)) if outline.heading else key
        return page(
            "search.html",
            **shown,
            mode=outline.modes[0],
            modes=[
                Link(each.value, Place(place.pipeline, mode=each).url, each is outline.modes[0])
                for each in outline.modes
            ],
            result=result,
            counted=f"The {len(result.hits)} most similar in {milliseconds:,.0f} ms",
            hits=[hit_view(hit, replace(place, similar=None), outline, result.mode) for hit in result.hits],
            groups=(),
            chosen=_chosen(place),
            sorts=(),
            pages=(),
            did_you_mean=None,
            like=name,
        )


async def _other_spelling(scope: Scope, request: Search, result: Result) -> str | None:
    """Return a spelling that more documents have, where a word was not found in the best of them.

    Not with the search itself: looking for it costs more than most searches, and most words are spelt well.
    """
    marked = [
        piece for hit in result.hits for texts in hit.highlights.values() for text in texts for piece in pieces(text)
    ]
    if scope.access.conditions or not request.highlight or not unmarked(request.text, marked):
        return None
    words = replace(request, mode=Mode.KEYWORD, sort=(), size=0, offset=0, facets={}, highlight=(), did_you_mean=True)
    return (await scope.searcher.search(scope.access.held(words))).did_you_mean


def _how_many(result: Result, looked_for: bool, milliseconds: float) -> str:
    many = "document" if result.total == 1 else "documents"
    if looked_for and result.mode is not Mode.KEYWORD:
        # Each document is near to some degree: there is no telling which of them do not match.
        found = f"The {result.total:,} best {many}"
    else:
        found = f"{'' if result.exact else 'More than '}{result.total:,} {many}"
    return f"{found} in {milliseconds:,.0f} ms"


def _chosen(place: Place) -> list[Link]:
    """Return what is chosen, each with the way to be rid of it."""
    links = []
    for text in place.filters:
        field, _, value = text.partition(":")
        links.append(Link(f"{field}: {value}", place.toggled(field, value).url))
    for text in place.ranges:
        field, _, bounds = text.partition(":")
        start, _, end = bounds.partition("..")
        words = [f"from {start}" if start else "", f"before {end}" if end else ""]
        links.append(Link(f"{field} {' '.join(word for word in words if word)}", place.within(field, None).url))
    return links


def _sorts(place: Place, outline: Outline, mode: Mode) -> list[Link]:
    """Return what documents can be ordered by: what is found by meaning has but one order."""
    if outline.dated is None or mode is not Mode.KEYWORD:
        return []
    ways = {
        "best match" if place.text.strip() else "as stored": None,
        "newest": f"-{outline.dated}",
        "oldest": outline.dated,
    }
    return [Link(label, place.sorted_by(sort).url, sort == place.sort) for label, sort in ways.items()]
