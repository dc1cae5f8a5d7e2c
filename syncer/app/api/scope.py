"""What a request is about: one pipeline, as far as the caller may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from syncer.app.api.error import forbidden, invalid, not_found
from syncer.app.api.token import Access, Tokens
from syncer.core.suggestion import suggestion
from syncer.ports import AsyncSearcher

_BEARER = HTTPBearer(auto_error=False, description="Where `serve.tokens` are configured.")


@dataclass(frozen=True, slots=True)
class Served:
    """What an application answers from; its `state.served` while it runs."""

    searchers: Mapping[str, AsyncSearcher]
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Scope:
    """A pipeline, and what of it the caller may see."""

    pipeline: str
    searcher: AsyncSearcher
    access: Access


async def access(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Access:
    """Return what the caller may see. Raises ApiError where it has no token, and needs one."""
    served: Served = request.app.state.served
    found = served.tokens.access(credentials.credentials if credentials else None)
    if found.name:
        structlog.contextvars.bind_contextvars(token=found.name)
    return found


Caller = Annotated[Access, Depends(access)]


async def scope(request: Request, access: Caller) -> Scope:
    """Return the pipeline that the query parameter names; it may be left out where the caller may see one alone."""
    served: Served = request.app.state.served
    allowed = [name for name in served.searchers if access.pipelines is None or name in access.pipelines]
    name = request.query_params.get("pipeline")
    if name is None:
        if not allowed:
            raise forbidden("pipeline", "this token may search none of the pipelines that are served")
        if len(allowed) > 1:
            raise invalid("pipeline", "is needed, for there are several", f"one of {', '.join(allowed)}")
        name = allowed[0]
    # Before anything else: whether a pipeline exists that the token is not for, it need not know.
    if access.pipelines is not None and name not in access.pipelines:
        raise forbidden("pipeline", "this token is not for that pipeline")
    if name not in served.searchers:
        raise not_found("pipeline", f"there is no pipeline {name[:100]!r} here", suggestion(name, allowed))
    structlog.contextvars.bind_contextvars(pipeline=name)
    return Scope(name, served.searchers[name], access)


Scoped = Annotated[Scope, Depends(scope)]
