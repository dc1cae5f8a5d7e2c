"""The application that answers searches over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import APIRouter, FastAPI

from syncer import __version__
from syncer.app.api import document, health, search, suggestion
from syncer.app.api.error import answer_errors
from syncer.app.api.gate import Gate
from syncer.app.api.scope import Served
from syncer.app.api.token import Tokens
from syncer.app.serve_settings import ServeSettings
from syncer.ports import AsyncSearcher, Clock

#: Opens what searches, by pipeline, and closes it.
Searchers = Callable[[], AbstractAsyncContextManager[Mapping[str, AsyncSearcher]]]

_DESCRIPTION = """Search documents that are kept equal to database tables.

Only fields that the pipeline declares can be searched, filtered, sorted and returned. `pipeline` names what to search;
it may be left out where there is one alone. Errors are `{"error": {"type", "message", "field", "hint"}, "request_id"}`.
"""


def application(
    searchers: Searchers, settings: ServeSettings, clock: Clock, pages: Sequence[APIRouter] = ()
) -> FastAPI:
    """Return the application; what it searches is opened when it starts, and closed when it ends.

    pages: routers for people. They find what there is to search in `request.app.state.served`, see `scope`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with searchers() as opened:
            app.state.served = Served(opened, Tokens(settings.tokens))
            yield

    # No page that shows the OpenAPI document: those of FastAPI load their scripts from a third party.
    app = FastAPI(
        title="syncer",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    for router in (search.router, suggestion.router, document.router, health.router, *pages):
        app.include_router(router)
    answer_errors(app)
    app.add_middleware(
        Gate,
        clock=clock,
        requests=settings.requests,
        seconds=settings.request_timeout,
        body_bytes=int(settings.body),
        only_local=not (settings.tokens or settings.public),
    )
    return app
