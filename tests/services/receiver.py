"""What takes the requests of a webhook, and fails when a test tells it to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any


class Receiver:
    """Takes what is posted, and answers in turn."""

    def __init__(self, *answers: int) -> None:
        self.got: Queue[tuple[Mapping[str, str], Any]] = Queue()
        self._answers = iter(answers)

    @contextmanager
    def running(self) -> Iterator[str]:
        """Lend its URL."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = next(receiver._answers, 200)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
                receiver.got.put((dict(self.headers), json.loads(body)))

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/secret-path-of-a-hook"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
