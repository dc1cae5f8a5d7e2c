"""All pages, as the application takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Response
from starlette.types import Scope

from syncer.adapters.elastic.search.searched import Searched
from syncer.app.api.error import ApiError
from syncer.app.serve_settings import ServeSettings
from syncer.app.status_board import StatusBoard
from syncer.app.web import session_page
from syncer.app.web.outline import Outline, outline
from syncer.app.web.place import Place
from syncer.app.web.rendering import STATIC, page, static
from syncer.app.web.search_page import SearchPage
from syncer.app.web.status_page import StatusPage
from syncer.core.search.request import Mode
from syncer.ports import Clock

_STATIC = "/static/"
_TITLES = {
    "invalid_request": "This cannot be searched for",
    "search_unavailable": "Search is away for the moment",
    "embedding_unavailable": "Search by meaning is away for the moment",
    "index_missing": "There is nothing to search yet",
    "index_outdated": "The index is being changed to another model",
    "too_many_requests": "Too many are searching at once",
    "timeout": "This took too long",
    "not_found": "There is no such thing here",
    "forbidden": "This is not shown",
    "internal_error": "Something went wrong",
}
#: Where words can still be searched.
_BY_MEANING = frozenset({"embedding_unavailable", "index_outdated"})
_MAY_PASS = frozenset({503, 504})


class WebPages:
    """Implements `Pages`."""

    def __init__(
        self, outlines: Mapping[str, Outline], board: StatusBoard, settings: ServeSettings, clock: Clock
    ) -> None:
        """outlines: by pipeline."""
        self._board = board
        self._tokens = bool(settings.tokens)
        search = SearchPage(outlines, clock, tokens=self._tokens)
        status = StatusPage(board, clock, tokens=self._tokens, public=settings.public)
        self.router = APIRouter(include_in_schema=False)
        for each in (search.router, status.router, session_page.router):
            self.router.include_router(each)
        self.router.add_api_route(_STATIC + "{name}", _file, response_class=Response)
        self._paths = frozenset({"/", "/status", "/session", "/session/end"})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with self._board.running():
            yield

    def tell(self, scope: Scope, error: ApiError) -> Response | None:
        if scope["path"] not in self._paths:
            return None
        address = scope["path"] + (f"?{query}" if (query := scope["query_string"].decode("latin-1")) else "")
        if error.status == 401:
            # A token that is known no more is one that was never given.
            return session_page.asked(address if scope["method"] == "GET" else "/", "", error)
        trouble = error.trouble
        place = _place(scope)
        return page(
            "error.html",
            error.status,
            error.headers,
            title=_TITLES.get(trouble.type, "This did not work"),
            trouble=trouble,
            place=place,
            by_words=place.by(Mode.KEYWORD).url if trouble.type in _BY_MEANING else None,
            free=place.free().url if error.status == 422 and (place.filters or place.ranges) else None,
            again=address if error.status in _MAY_PASS and scope["method"] == "GET" else None,
            request_id=scope["state"]["request_id"],
            tokens=self._tokens,
        )


def web_pages(searched: Mapping[str, Searched], board: StatusBoard, settings: ServeSettings, clock: Clock) -> WebPages:
    """Return the pages of pipelines. Their state is looked at while they are served, and may be away."""
    return WebPages({name: outline(of) for name, of in searched.items()}, board, settings, clock)


async def _file(name: str) -> Response:
    """Return one of the files, which are named one by one: no path leads elsewhere."""
    if name not in STATIC:
        raise HTTPException(404)
    # Its address changes with it.
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(static(name), media_type=STATIC[name], headers=headers)


def _place(scope: Scope) -> Place:
    """Return what was asked as far as it can be read, so that nobody has to type it again."""
    given: list[tuple[str, Any]] = parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=None)
    first = dict(reversed(given))
    many = {name: tuple(value for key, value in given if key == name) for name in ("filter", "range")}
    mode = Mode(first["mode"]) if first.get("mode") in list(Mode) else None
    return Place(first.get("pipeline"), first.get("q", "")[:2000], mode, many["filter"], many["range"])
