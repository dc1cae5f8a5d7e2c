"""`/search` and `/facets`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query

from syncer.app.api.answer import COUNTS, RESULT, Answer, Counts
from syncer.app.api.parameters import FacetParameters, PipelineParameters, SearchParameters
from syncer.app.api.scope import Scope, Scoped
from syncer.app.api.search_body import EXAMPLES, FoundBody, SearchBody
from syncer.core.search.request import Request

router = APIRouter(tags=["search"])

_Beside = Annotated[PipelineParameters, Query()]
_EXAMPLES = {name: {"value": value} for name, value in EXAMPLES.items()}
_FACETS = {
    "facets": {
        "value": {
            "text": "vaccines",
            "facets": {
                "tags": {"type": "terms", "field": "tags", "size": 20},
                "months": {"type": "date", "field": "published_at", "interval": "month"},
                "price": {"type": "range", "field": "price", "ranges": [{"end": 10}, {"start": 10}]},
            },
        }
    }
}


@router.get("/search", responses=RESULT, response_class=Answer, summary="Search, in short")
async def search(scope: Scoped, parameters: Annotated[SearchParameters, Query()]) -> Answer:
    """Return the best documents."""
    return await _found(scope, parameters.request())


@router.post("/search", responses=RESULT, response_class=Answer, summary="Search")
async def search_by_body(
    scope: Scoped,
    _: _Beside,
    body: Annotated[SearchBody, Body(openapi_examples=_EXAMPLES)],
) -> Answer:
    """Return the best documents, with all that a search can say."""
    return await _found(scope, body.request())


@router.get("/facets", responses=COUNTS, response_class=Answer, summary="Count, in short")
async def facets(scope: Scoped, parameters: Annotated[FacetParameters, Query()]) -> Answer:
    """Count what is found, by the values of fields."""
    return await _counts(scope, parameters.request())


@router.post("/facets", responses=COUNTS, response_class=Answer, summary="Count")
async def facets_by_body(
    scope: Scoped,
    _: _Beside,
    body: Annotated[FoundBody, Body(openapi_examples=_FACETS)],
) -> Answer:
    """Count what is found, with all that a search can say."""
    return await _counts(scope, body.request())


async def _found(scope: Scope, request: Request) -> Answer:
    return Answer(await scope.searcher.search(scope.access.held(request)))


async def _counts(scope: Scope, request: Request) -> Answer:
    result = await scope.searcher.search(scope.access.held(request))
    return Answer(Counts(result.total, result.exact, result.facets))
