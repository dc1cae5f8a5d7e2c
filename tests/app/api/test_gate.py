"""What every request passes: names, bounds and log lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import Any

import httpx2
import pytest
import structlog

from syncer.adapters.clock import SystemClock
from syncer.adapters.memory.searcher import MemorySearcher
from syncer.app.api.application import application
from syncer.app.serve_settings import ServeSettings
from syncer.core.search.request import Request
from syncer.core.search.result import Result
from tests.app.api.api import DOCUMENTS, FIELDS, serving


class Held(MemorySearcher):
    """Answers searches for `slow` when it is let go."""

    def __init__(self) -> None:
        super().__init__(DOCUMENTS, FIELDS)
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()
        self.given_up = asyncio.Event()

    async def search(self, request: Request) -> Result:
        if request.text == "slow":
            self.asked.set()
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.given_up.set()
                raise
        return await super().search(request)


def with_held(scenario: Callable[[Held, httpx2.AsyncClient], Coroutine[Any, Any, None]], **settings: Any) -> None:
    """Run a scenario of requests beside one another."""

    async def run() -> None:
        held = Held()
        app = application(lambda: nullcontext({"articles": held}), ServeSettings(**settings), SystemClock())
        transport = httpx2.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            await scenario(held, client)

    asyncio.run(run())


def test_a_request_has_a_name() -> None:
    """The caller's where it can stand in a log line, else a new one; errors have one too."""
    with serving() as client:
        assert client.get("/search", headers={"X-Request-ID": "a-1.B_2"}).headers["X-Request-ID"] == "a-1.B_2"
        for given in ("", "two words", "x" * 65, "a\x1b[31m", 'a"b'):
            found = client.get("/search", headers={"X-Request-ID": given}).headers["X-Request-ID"]
            assert len(found) == 32
            assert found.isalnum()
        refused = client.get("/search?size=-1")
        assert refused.headers["X-Request-ID"] == refused.json()["request_id"]


def test_a_request_is_one_log_line() -> None:
    """With what was asked, but for what was looked for."""
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs, serving() as client:
        client.get("/search", params={"q": "my-disease"}, headers={"X-Request-ID": "one"})
        client.post("/search", json={"text": "my-disease", "size": -1}, headers={"X-Request-ID": "two"})
    first, second = [entry for entry in logs if entry["event"] == "request"]
    assert (first["method"], first["path"], first["status"]) == ("GET", "/search", 200)
    assert (first["request_id"], first["pipeline"]) == ("one", "articles")
    assert first["milliseconds"] >= 0
    assert (second["request_id"], second["status"]) == ("two", 422)
    assert "my-disease" not in str(logs)


def test_answers_are_not_kept() -> None:
    """What one caller may see, a proxy must not give to the next."""
    with serving() as client:
        assert client.get("/search").headers["Cache-Control"] == "no-store"
        assert client.get("/search?size=-1").headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_of_somebody_else_takes_an_answer_in() -> None:
    """Neither in a frame, nor as a script; nothing in it is run, and no address is passed on. Errors too."""
    with serving() as client:
        for path in ("/search", "/search?size=-1", "/nowhere", "/healthz", "/openapi.json"):
            headers = client.get(path).headers
            assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["X-Content-Type-Options"] == "nosniff"
            # No page of another origin may read an answer.
            assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost:1", True),
        ("[::1]:8080", True),
        ("[::1]", True),
        ("evil.example", False),
        ("127.0.0.1.evil:80", False),
    ],
)
def test_what_is_for_this_machine_is_not_read_by_pages_of_others(host: str, local: bool) -> None:
    """A name of theirs may lead here; with tokens, or where anybody may search, any name will do."""
    token = "t" * 16
    bearer = {"Authorization": f"Bearer {token}"}
    with serving() as client:
        assert client.get("/search", headers={"Host": host}).status_code == (200 if local else 403)
    for settings in ({"public": True}, {"tokens": [{"token": token}]}):
        with serving(**settings) as client:
            assert client.get("/search", headers={"Host": host, **bearer}).status_code == 200


def test_a_body_is_only_so_long() -> None:
    """Whether its length is announced or not."""
    with serving(body=2000) as client:
        assert client.post("/search", json={"text": "x" * 1900}).status_code == 200
        long = b'{"text": "' + b"x" * 2000 + b'"}'
        headers = {"Content-Type": "application/json"}
        pieces = (long[start : start + 100] for start in range(0, len(long), 100))
        for content in (long, pieces):
            answer = client.post("/search", content=content, headers=headers)
            assert (answer.status_code, answer.json()["error"]["type"]) == (413, "body_too_long")


def test_more_requests_than_there_is_room_for_are_sent_away() -> None:
    """At once, with the word to come again; and the process still answers for itself."""

    async def scenario(held: Held, client: httpx2.AsyncClient) -> None:
        slow = [asyncio.create_task(client.get("/search?q=slow")) for _ in range(2)]
        await held.asked.wait()
        await asyncio.sleep(0)
        answer = await client.get("/search")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["error"]["type"] == "too_many_requests"
        assert (await client.get("/healthz")).status_code == 200
        held.let_go.set()
        assert [(await each).status_code for each in slow] == [200, 200]
        assert (await client.get("/search")).status_code == 200

    with_held(scenario, requests=2)


def test_a_request_that_takes_too_long_is_ended() -> None:
    """What it was waiting for is given up, and its place is free again."""

    async def scenario(held: Held, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/search?q=slow")
        assert (answer.status_code, answer.json()["error"]["type"]) == (504, "timeout")
        assert held.given_up.is_set()
        assert (await client.get("/search")).status_code == 200

    with_held(scenario, requests=1, request_timeout="50ms")


def test_a_timeout_of_somebody_else_is_none_of_the_request() -> None:
    """A bug that raises the same exception is a bug."""

    class Raising(MemorySearcher):
        async def search(self, request: Request) -> Result:
            raise TimeoutError

    with serving({"articles": Raising({}, FIELDS)}) as client:
        assert client.get("/search").status_code == 500
