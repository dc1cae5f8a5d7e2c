"""`/suggest`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from syncer.app.api.answer import COMPLETIONS, Answer, Completions
from syncer.app.api.parameters import SuggestParameters
from syncer.app.api.scope import Scoped

router = APIRouter(tags=["search"])


@router.get("/suggest", responses=COMPLETIONS, response_class=Answer, summary="Complete")
async def suggest(scope: Scoped, parameters: Annotated[SuggestParameters, Query()]) -> Answer:
    """Return texts that go on as `q` begins, for a box that somebody types into."""
    conditions = scope.access.within(parameters.conditions())
    found = await scope.searcher.suggest(
        parameters.q, field=parameters.field, size=parameters.size, conditions=conditions
    )
    return Answer(Completions(found))
