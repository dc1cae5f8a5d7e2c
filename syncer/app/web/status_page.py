"""The status page, `/status`: what `syncer status`, `indices`, `schedule` and `dead-letters` print, kept up to date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from syncer.app.api.error import forbidden
from syncer.app.api.scope import Caller, allowed
from syncer.app.pipeline_report import LETTERS_MAX
from syncer.app.status_board import Board, StatusBoard
from syncer.app.web.chart import HEIGHT, WIDTH, charts
from syncer.app.web.rendering import page
from syncer.core.key import document_id
from syncer.ports import Clock

#: How often a page that is open asks again.
REFRESH_SECONDS = 5


class StatusPage:
    """Serves it."""

    def __init__(self, board: StatusBoard, clock: Clock, *, tokens: bool, public: bool) -> None:
        """tokens: whether somebody has to say who he is. public: whether anybody may search."""
        self._board = board
        self._clock = clock
        self._tokens = tokens
        self._public = public and not tokens
        self.router = APIRouter(include_in_schema=False)
        self.router.add_api_route("/status", self.show, response_class=Response)

    async def show(self, request: Request, access: Caller) -> Response:
        """Return the page. Raises ApiError for who may not see all documents: causes of dead letters quote them."""
        names = allowed(request, access)
        if access.conditions:
            raise forbidden("token", "this token sees some documents alone, and the status tells of all of them")
        if self._public:
            hint = "configure serve.tokens, or call `syncer status`"
            raise forbidden("token", "where anybody may search, the status is shown to nobody", hint)
        board = await self._board.board()
        reports = board.look.reports if board.look else {}
        now = self._clock.monotonic()
        return page(
            "status.html",
            reports=[reports[name] for name in names if name in reports],
            charts={name: charts(board.samples.get(name, ()), now) for name in names},
            width=WIDTH,
            height=HEIGHT,
            letters_max=LETTERS_MAX,
            document_id=document_id,
            refresh_seconds=REFRESH_SECONDS,
            tokens=self._tokens,
            **_told(board),
        )


def _told(board: Board) -> Mapping[str, Any]:
    """Return how far what is shown can be relied on."""
    return {
        "time": board.look.time if board.look else None,
        "age": board.age_seconds if board.look else None,
        "trouble": board.trouble,
    }
