"""`/readyz` and `/metrics`: for those who keep processes running."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from syncer.app.api.answer import Answer
from syncer.app.api.error import answer_errors, as_json
from syncer.app.api.gate import HEALTH, METRICS, READY, Gate
from syncer.app.readiness import Part
from syncer.app.status_board import EVERY_SECONDS, StatusBoard
from syncer.ports import Clock

#: A scrape and the probes of a machine or two.
_REQUESTS = 20
_SECONDS = 10.0
_BODY_BYTES = 1024
#: Longer than any single step takes, as systemd's watchdog waits.
_STUCK_SECONDS = 600.0


def monitoring(
    board: StatusBoard,
    registry: CollectorRegistry,
    parts: Callable[[Request], Awaitable[Sequence[Part]]],
    *,
    guards: Sequence[Callable[..., object]] = (),
    tells: bool,
) -> APIRouter:
    """Return the routes.

    parts: what the process needs. guards: dependencies of `/metrics`, for whom it is. tells: what was seen of each part
    too, not only whether all are ready: who may not see the pipelines need not know their names.
    """
    router = APIRouter(tags=["monitoring"])

    @router.get(READY, response_class=Answer, summary="Whether the process can do what it is there for")
    async def ready(request: Request) -> Answer:
        """Answer 503 where something is missing, and what that is."""
        needed = await parts(request)
        is_ready = all(part.ready for part in needed)
        document: dict[str, object] = {"status": "ready" if is_ready else "not ready"}
        if tells:
            document["missing"] = [part.name for part in needed if not part.ready]
            document["parts"] = {part.name: part.said for part in needed}
        return Answer(document, 200 if is_ready else 503)

    guarded = [Depends(guard) for guard in guards]

    @router.get(METRICS, response_class=Response, include_in_schema=False, dependencies=guarded)
    async def metrics(accept: str = Header("")) -> Response:
        """Metrics in the text format of Prometheus, or in OpenMetrics where that is asked for."""
        # Those of the look are taken from the last one. However many scrape, no more is asked of the servers.
        await board.board(EVERY_SECONDS)
        encode, content_type = choose_encoder(accept)
        return Response(encode(registry), headers={"Content-Type": content_type})

    return router


def monitor(
    routes: APIRouter, board: StatusBoard, clock: Clock, stuck: Callable[[float], Sequence[str]] = lambda _seconds: ()
) -> FastAPI:
    """Return an application of these routes alone, and `/healthz`; it looks at the pipelines while it runs.

    stuck: returns the pipelines that have been at work for so long without getting on, which a restart may help.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with board.running():
            yield

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get(HEALTH)
    async def health() -> Answer:
        if names := stuck(_STUCK_SECONDS):
            return Answer({"status": "stuck", "pipelines": list(names)}, 503)
        return Answer({"status": "ok"})

    app.include_router(routes)
    answer_errors(app, as_json)
    app.add_middleware(
        Gate, clock=clock, requests=_REQUESTS, seconds=_SECONDS, body_bytes=_BODY_BYTES, only_local=False
    )
    return app
