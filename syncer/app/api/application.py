"""The application that answers searches over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Protocol

from fastapi import APIRouter, FastAPI, Response
from starlette.types import Scope

from syncer import __version__
from syncer.app.api import document, health, search, suggestion
from syncer.app.api.error import ApiError, answer_errors, as_json
from syncer.app.api.gate import Gate
from syncer.app.api.scope import Served
from syncer.app.api.token import Tokens
from syncer.app.serve_settings import ServeSettings
from syncer.ports import AsyncSearcher, Clock

#: Opens what searches, by pipeline, and closes it.
Searchers = Callable[[], AbstractAsyncContextManager[Mapping[str, AsyncSearcher]]]


class Pages(Protocol):
    """What people are shown; its routes find what there is to search as those of the API do, see `scope`."""

    @property
    def router(self) -> APIRouter:
        """Its routes."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Return what is entered when the application starts, and left when it ends."""

    def tell(self, scope: Scope, error: ApiError) -> Response | None:
        """Return an error as a page; None: it befell no page."""


_DESCRIPTION = """Search documents that are kept equal to database tables.

Only fields that the pipeline declares can be searched, filtered, sorted and returned. `pipeline` names what to search;
it may be left out where there is one alone. Errors are `{"error": {"type", "message", "field", "hint"}, "request_id"}`.
"""


def application(
    searchers: Searchers,
    settings: ServeSettings,
    clock: Clock,
    pages: Pages | None = None,
    routes: Sequence[APIRouter] = (),
    served: Callable[[str, int, float], None] = lambda _route, _status, _seconds: None,
) -> FastAPI:
    """Return the application; what it searches is opened when it starts, and closed when it ends.

    routes: more of them. served: told of each request that has ended, by its route, status and seconds.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with searchers() as opened, pages.running() if pages else nullcontext():
            app.state.served = Served(opened, Tokens(settings.tokens))
            yield

    def tell(scope: Scope, error: ApiError) -> Response:
        return (pages and pages.tell(scope, error)) or as_json(scope, error)

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
    for router in (search.router, suggestion.router, document.router, health.router, *routes):
        app.include_router(router)
    if pages:
        app.include_router(pages.router)
    answer_errors(app, tell)
    app.add_middleware(
        Gate,
        clock=clock,
        requests=settings.requests,
        seconds=settings.request_timeout,
        body_bytes=int(settings.body),
        only_local=not (settings.tokens or settings.public),
        tell=tell,
        served=served,
    )
    return app
