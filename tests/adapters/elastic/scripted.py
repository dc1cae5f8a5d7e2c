"""A server that says what a test tells it to, for answers that no healthy Elasticsearch gives on demand."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked."""

    path: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]

    def all_applied(self) -> dict[str, Any]:
        """Return the answer to this bulk in which every write, none of them a removal, is applied."""
        names = [line["index"]["_id"] for line in self.lines[::2]]
        return {"items": [{"index": {"_id": name, "status": 200, "result": "updated"}} for name in names]}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said. No status: the connection is closed without an answer."""

    status: int | None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The connection is reset in the middle of the body.
    cut: bool = False


ELASTICSEARCH: Mapping[str, str] = {"X-Elastic-Product": "Elasticsearch"}


@contextmanager
def scripted(answer: Callable[[Request], Answer]) -> Iterator[str]:
    """Run it and lend its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            said = answer(Request(self.path, body, dict(self.headers)))
            if said.status is None:
                self.close_connection = True
                return
            text = said.body if isinstance(said.body, str) else json.dumps(said.body)
            self.send_response(said.status)
            for name, value in {"Content-Type": "application/json", **ELASTICSEARCH, **said.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            if said.cut:
                self.wfile.write(text.encode()[: len(text) // 2])
                self.close_connection = True
                # With a linger of zero, close sends a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            self.wfile.write(text.encode())

        do_POST = do_PUT = do_HEAD = do_GET

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


LIMITS: Mapping[str, Any] = {"nodes": {"n": {"http": {"max_content_length_in_bytes": 10_000}}}}
TOO_BUSY = {"error": {"type": "es_rejected_execution_exception", "reason": "queue is full"}, "status": 429}


class Script:
    """Answers bulks in turn, the last answer ever after; `sent` holds the ids of each request."""

    def __init__(self, *answers: Answer | None) -> None:
        """None: everything is applied."""
        self.sent: list[list[str]] = []
        self._answers = iter(answers)
        self._last: Answer | None = None

    def __call__(self, request: Request) -> Answer:
        if request.path.startswith("/_nodes/stats"):
            return Answer(200, {"nodes": {"n": {"indexing_pressure": {"memory": {"limit_in_bytes": 5_000}}}}})
        if request.path.startswith("/_nodes"):
            return Answer(200, LIMITS)
        self.sent.append([line["index"]["_id"] for line in request.lines[::2]])
        self._last = next(self._answers, self._last)
        return self._last or Answer(200, request.all_applied())
