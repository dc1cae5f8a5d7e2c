"""`/documents/{key}` and `/similar/{key}`; a key may hold slashes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from syncer.app.api.answer import DOCUMENT, RESULT, Answer, Document
from syncer.app.api.error import ApiError, not_found
from syncer.app.api.parameters import ConditionParameters, SimilarParameters
from syncer.app.api.scope import Scoped
from syncer.core.key import DOCUMENT_ID_BYTES_MAX

router = APIRouter(tags=["documents"])

_Key = Annotated[
    str,
    Path(
        max_length=DOCUMENT_ID_BYTES_MAX,
        description="The row's key; the parts of one of several columns are joined by `|`.",
        examples=["42"],
    ),
]


@router.get("/documents/{key:path}", responses=DOCUMENT, response_class=Answer, summary="One document")
async def document(scope: Scoped, key: _Key, parameters: Annotated[ConditionParameters, Query()]) -> Answer:
    """Return a document, if it is there and meets the conditions."""
    found = await scope.searcher.document(key, conditions=scope.access.within(parameters.conditions()))
    if found is None:
        raise _missing(key)
    return Answer(Document(key, found))


@router.get("/similar/{key:path}", responses=RESULT, response_class=Answer, summary="Similar documents")
async def similar(scope: Scoped, key: _Key, parameters: Annotated[SimilarParameters, Query()]) -> Answer:
    """Return what is nearest to a document: by its vectors, else by its words."""
    conditions = scope.access.within(parameters.conditions())
    found = await scope.searcher.similar(key, size=parameters.size, conditions=conditions)
    if found is None:
        raise _missing(key)
    return Answer(found)


def _missing(key: str) -> ApiError:
    # In the same words for one that the caller may not see.
    return not_found("key", f"there is no document {key[:100]!r}")
