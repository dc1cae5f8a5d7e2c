"""What every request passes: it gets a name, a place among those under way, a time to end within, and a log line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syncer.app.api.error import ApiError, Tell, Trouble, as_json, busy, forbidden, unexpected
from syncer.app.api.request_id import HEADER, request_id
from syncer.ports import Clock

#: Answered whatever else is under way, and logged for nobody: they are asked for all the time.
HEALTH, READY, METRICS = "/healthz", "/readyz", "/metrics"
_QUIET = frozenset({HEALTH, READY, METRICS})

#: Takes the route, the status and the seconds of a request.
Served = Callable[[str, int, float], None]

_PATH_CHARACTERS = 200
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})

_HEADERS = {
    # What one caller may see is not for the next one behind the same proxy.
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # Pages say more; what is no page has nothing to load, and is for nobody's frame.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    # No page of somebody else can take an answer in as a script, an image or a style.
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Gate:
    """Middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: Clock,
        requests: int,
        seconds: float,
        body_bytes: int,
        only_local: bool,
        tell: Tell = as_json,
        served: Served = lambda _route, _status, _seconds: None,
    ) -> None:
        """requests: under way at once. seconds: for each. body_bytes: of each, at most. only_local: refuse requests to
        another host than this machine. served: told of each that has ended."""
        self._app = app
        self._clock = clock
        self._requests = requests
        self._seconds = seconds
        self._body_bytes = body_bytes
        self._only_local = only_local
        self._tell = tell
        self._served = served
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._clock.monotonic()
        name = request_id(Headers(scope=scope).get(HEADER))
        # request.state.request_id
        scope.setdefault("state", {})["request_id"] = name
        status: list[int] = []

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
                headers = MutableHeaders(scope=message)
                headers[HEADER] = name
                for header, value in _HEADERS.items():
                    headers.setdefault(header, value)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=name):
            try:
                await self._serve(scope, receive, answer)
            except Exception as error:  # a bug, too, ends in an answer, and in a log line with its traceback
                made = error if isinstance(error, ApiError) else unexpected()
                if not isinstance(error, ApiError):
                    structlog.get_logger().error("unexpected error", exc_info=error)
                if not status:
                    await self._tell(scope, made)(scope, receive, answer)
            self._log(scope, status, started)
            # Bound on the way, for this line.
            structlog.contextvars.unbind_contextvars("pipeline", "token")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._only_local and _host(scope) not in _LOCAL:
            # A page of somebody else can have its own name lead to this machine, and read what its script gets here.
            hint = "call it 127.0.0.1 or localhost; or write serve: {public: true}, or configure serve.tokens"
            raise forbidden("Host", "without tokens it is served to this machine alone", hint)
        counts = scope["path"] not in _QUIET
        if counts and self._under_way >= self._requests:
            raise busy("too_many_requests", "too many requests are under way")
        self._under_way += counts
        try:
            async with asyncio.timeout(self._seconds) as timeout:
                await self._app(scope, await self._whole(scope, receive), send)
        except TimeoutError as error:
            if not timeout.expired():
                raise
            hint = "ask for less, or again"
            raise ApiError(504, Trouble("timeout", f"not served within {self._seconds:g} s", hint=hint)) from error
        finally:
            self._under_way -= counts

    async def _whole(self, scope: Scope, receive: Receive) -> Receive:
        """Read the body, which is short, and return what gives it again."""
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._body_bytes:
            raise self._too_long()
        parts: list[bytes] = []
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
            if sum(map(len, parts)) > self._body_bytes:
                raise self._too_long()
        return _replayed(b"".join(parts), receive)

    def _too_long(self) -> ApiError:
        # What is left of the body is not read.
        trouble = Trouble("body_too_long", f"the body is longer than {self._body_bytes} bytes")
        return ApiError(413, trouble, {"Connection": "close"})

    def _log(self, scope: Scope, status: list[int], started: float) -> None:
        seconds = self._clock.monotonic() - started
        # As it is declared, so that there are few; what leads nowhere is one.
        if scope["path"] not in _QUIET:
            self._served(getattr(scope.get("route"), "path", "unknown"), status[0] if status else 499, seconds)
        log = structlog.get_logger()
        (log.debug if scope["path"] in _QUIET else log.info)(
            "request",
            method=scope["method"],
            # Without the query: what somebody looks for is nobody else's business.
            path=quote(scope["path"])[:_PATH_CHARACTERS],
            status=status[0] if status else None,
            milliseconds=round(seconds * 1000, 1),
        )


def _host(scope: Scope) -> str:
    """Return what the caller calls this machine, without a port."""
    host = Headers(scope=scope).get("host", "")
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _replayed(body: bytes, receive: Callable[[], Awaitable[Message]]) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
