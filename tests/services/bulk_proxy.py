"""An HTTP proxy to Elasticsearch that refuses a share of requests and of bulk items, or loses what it answers."""

from __future__ import annotations

import http.client
import json
import random
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

#: What the server says with each status.
_WORDS = {
    429: ("es_rejected_execution_exception", "rejected execution of coordinating operation"),
    500: ("internal_server_error", "something went wrong"),
    503: ("unavailable_shards_exception", "[0] primary shard is not active"),
    507: (
        "cluster_block_exception",
        "disk usage exceeded flood-stage watermark, index has read-only-allow-delete block",
    ),
}
#: Longer than clients of a test wait.
_SILENCE_SECONDS = 30.0
_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True, slots=True)
class Mood:
    """Shares, between 0 and 1, of what goes wrong."""

    #: Requests that are refused and do not reach the server.
    refused: float = 0.0
    #: Bulk items that are refused and do not reach the server.
    item_refused: float = 0.0
    #: Bulk items that the server applies, and that are answered like refused ones.
    item_belied: float = 0.0
    #: Requests that the server executes, and whose answer is lost with the connection.
    unanswered: float = 0.0
    #: Requests whose connection is lost, and which reach the server only seconds later.
    late: float = 0.0
    #: Requests that are swallowed: the client waits until it gives up.
    silent: float = 0.0
    statuses: Sequence[int] = (429, 503)
    #: Values of the header Retry-After of a refused request; None: without it.
    retry_after: Sequence[str | None] = (None,)


_FAIR = Mood()


@dataclass(frozen=True, slots=True)
class _Item:
    operation: str
    id: str
    lines: Sequence[bytes]


class BulkProxy:
    """Forwards a local port to a server, in the mood it is put in."""

    def __init__(self, url: str, seed: int, ca_certs: str | None = None) -> None:
        self._server = urlsplit(url)
        self._tls = ssl.create_default_context(cafile=ca_certs) if self._server.scheme == "https" else None
        self.chance = random.Random(seed)
        self.mood = _FAIR
        self._late: list[threading.Thread] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def calm(self) -> None:
        """Forward everything from now on, and wait until what is late has arrived."""
        self.mood = _FAIR
        for thread in self._late:
            thread.join(30)

    def close(self) -> None:
        """Accept no more connections."""
        self._http.shutdown()
        self._http.server_close()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to the server."""
        host, port = str(self._server.hostname), self._server.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=60, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=60)

    def send_late(self, request: _Request) -> None:
        """Send a request seconds from now; nobody sees the answer."""

        def deliver() -> None:
            time.sleep(self.chance.uniform(0.2, 3))
            # The server may be away: then it never arrives.
            with suppress(OSError, http.client.HTTPException), closing(self.connect()) as server:
                request.send(server)

        thread = threading.Thread(target=deliver, daemon=True)
        self._late.append(thread)
        thread.start()


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def send(self, server: http.client.HTTPConnection) -> tuple[int, Mapping[str, str], bytes]:
        server.request(self.method, self.path, self.body, dict(self.headers))
        answer = server.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    proxy: BulkProxy
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self._upstream = self.proxy.connect()

    def finish(self) -> None:
        self._upstream.close()
        super().finish()

    def log_message(self, format: str, *args: Any) -> None: ...

    def handle_any(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        request = _Request(self.command, self.path, headers, self.rfile.read(size))
        mood, chance = self.proxy.mood, self.proxy.chance
        try:
            if chance.random() < mood.refused:
                self._refuse(mood)
            elif chance.random() < mood.late:
                self.proxy.send_late(request)
                self.close_connection = True
            elif chance.random() < mood.silent:
                self.connection.settimeout(_SILENCE_SECONDS)
                self.connection.recv(1)
                self.close_connection = True
            elif chance.random() < mood.unanswered:
                request.send(self._upstream)
                self.close_connection = True
            elif "/_bulk" in self.path and (mood.item_refused or mood.item_belied):
                self._bulk(request, mood)
            else:
                self._answer(*request.send(self._upstream))
        except (OSError, http.client.HTTPException):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any

    def _refuse(self, mood: Mood) -> None:
        status = self.proxy.chance.choice(mood.statuses)
        kind, reason = _WORDS[status]
        asked = self.proxy.chance.choice(mood.retry_after)
        body = {"error": {"type": kind, "reason": reason}, "status": status}
        self._json(status, body, {"Retry-After": asked} if asked else {})

    def _bulk(self, request: _Request, mood: Mood) -> None:
        """Forward some of the items, and answer for all of them, in their order."""
        items = _items(request.body)
        chance = self.proxy.chance
        refused = [chance.random() < mood.item_refused for _ in items]
        forwarded = [item for item, held in zip(items, refused, strict=True) if not held]
        answers: list[dict[str, Any]] = []
        if forwarded:
            body = b"".join(line + b"\n" for item in forwarded for line in item.lines)
            status, headers, answer = _Request(request.method, request.path, request.headers, body).send(self._upstream)
            if status >= 300:
                self._answer(status, headers, answer)
                return
            answers = json.loads(answer)["items"]
        told = iter(answers)
        merged = [self._refusal(item, mood) if held else next(told) for item, held in zip(items, refused, strict=True)]
        for place, item in enumerate(items):
            if not refused[place] and chance.random() < mood.item_belied:
                merged[place] = self._refusal(item, mood)
        self._json(200, {"errors": True, "items": merged})

    def _refusal(self, item: _Item, mood: Mood) -> dict[str, Any]:
        status = self.proxy.chance.choice(mood.statuses)
        kind, reason = _WORDS[status]
        return {item.operation: {"_id": item.id, "status": status, "error": {"type": kind, "reason": reason}}}

    def _json(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        told = {"X-elastic-product": "Elasticsearch", "Content-Type": "application/json", **(headers or {})}
        self._answer(status, told, json.dumps(body).encode())

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _items(body: bytes) -> list[_Item]:
    items: list[_Item] = []
    lines = iter(body.rstrip(b"\n").split(b"\n"))
    for line in lines:
        ((operation, action),) = json.loads(line).items()
        items.append(_Item(operation, action["_id"], [line] if operation == "delete" else [line, next(lines)]))
    return items
