"""What a request is about: one pipeline, as far as the caller may see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from syncer.app.api.error import forbidden, invalid, not_found
from syncer.app.api.session import session_token
from syncer.app.api.token import Access, Tokens
from syncer.app.serve_settings import ServeSettings
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
    found = served.tokens.access(credentials.credentials if credentials else session_token(request))
    if found.name:
        structlog.contextvars.bind_contextvars(token=found.name)
    return found


Caller = Annotated[Access, Depends(access)]


def allowed(request: Request, access: Access) -> list[str]:
    """Return the pipelines that the caller may search. Raises ApiError where there is none."""
    served: Served = request.app.state.served
    names = [name for name in served.searchers if access.pipelines is None or name in access.pipelines]
    if not names:
        raise forbidden("pipeline", "this token may search none of the pipelines that are served")
    return names


def named(request: Request, access: Access, name: str) -> Scope:
    """Return a pipeline. Raises ApiError where there is none, or not for this caller."""
    served: Served = request.app.state.served
    # Before anything else: whether a pipeline exists that the token is not for, it need not know.
    if access.pipelines is not None and name not in access.pipelines:
        raise forbidden("pipeline", "this token is not for that pipeline")
    if name not in served.searchers:
        hint = suggestion(name, allowed(request, access))
        raise not_found("pipeline", f"there is no pipeline {name[:100]!r} here", hint)
    structlog.contextvars.bind_contextvars(pipeline=name)
    return Scope(name, served.searchers[name], access)


async def scope(request: Request, access: Caller) -> Scope:
    """Return the pipeline that the query parameter names; it may be left out where the caller may see one alone."""
    name = request.query_params.get("pipeline")
    if name is None:
        names = allowed(request, access)
        if len(names) > 1:
            raise invalid("pipeline", "is needed, for there are several", f"one of {', '.join(names)}")
        name = names[0]
    return named(request, access, name)


Scoped = Annotated[Scope, Depends(scope)]


def unrestricted(settings: ServeSettings) -> Callable[..., Awaitable[None]]:
    """Return what lets those pass that may see all documents of all pipelines."""

    async def prove(access: Caller) -> None:
        if access.conditions or access.pipelines is not None:
            raise forbidden("token", "this token sees a part of what is served, and metrics tell of all of it")
        if settings.public and not settings.tokens:
            hint = "configure serve.tokens, or call `syncer run --listen`"
            raise forbidden("token", "where anybody may search, metrics are shown to nobody", hint)

    return prove
