"""A TCP proxy that breaks connections in the ways networks do."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 65_536


class Way(Enum):
    """A direction of travel."""

    REQUEST = "to the server"
    ANSWER = "to the client"


class _Lane:
    """What befalls the bytes that travel one way."""

    def __init__(self) -> None:
        #: Set: bytes flow. Clear: they are read from nowhere and reach nobody.
        self.flowing = threading.Event()
        self.flowing.set()
        #: How long each piece is held up.
        self.delay_seconds = 0.0
        #: Pieces that were held up.
        self.held_up = 0
        self._lock = threading.Lock()
        self._left: int | None = None

    def cut_after(self, size: int | None) -> None:
        with self._lock:
            self._left = size

    def admit(self, size: int) -> int | None:
        """Return how many of so many bytes pass before the connection is cut; None: all of them, and it is not."""
        with self._lock:
            if self._left is None:
                return None
            if size < self._left:
                self._left -= size
                return None
            passed, self._left = self._left, None
            return passed


_Pair = tuple[socket.socket, socket.socket]


class Proxy:
    """Forwards a local port to a server, until told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._lock = threading.Lock()
        self._pairs: set[_Pair] = set()
        self._listener: socket.socket | None = None
        self._lanes = {way: _Lane() for way in Way}
        self.port = 0
        self.start()

    def url(self, url: str) -> str:
        """Return the server's URL with the proxy in place of host and port."""
        parts = urlsplit(url)
        login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{self.port}"))

    def start(self) -> None:
        """Accept connections, on the same port as before."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Refuse new connections and reset those that stand. Idempotent."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # The accepting thread would otherwise stay in accept(), and the port with it.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.reset()

    def reset(self) -> None:
        """Reset the connections that stand; new ones are welcome."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _reset(pair)

    def black_hole(self, *ways: Way) -> None:
        """Deliver nothing more in these directions, or in both, without a word to anybody."""
        for way in ways or Way:
            self._lanes[way].flowing.clear()

    def strand(self) -> None:
        """Deliver nothing more on the connections that stand, not even their end; new ones are well."""
        self.black_hole()
        self._lanes = {way: _Lane() for way in Way}

    def delay(self, seconds: float, *ways: Way) -> None:
        """Hold up each piece that travels in these directions, or in both."""
        for way in ways or Way:
            self._lanes[way].delay_seconds = seconds

    def held_up(self, way: Way) -> int:
        """Return how many pieces a delay has held up in this direction."""
        return self._lanes[way].held_up

    def truncate(self, size: int, way: Way) -> None:
        """Reset the connection that is about to carry the last of so many further bytes; those that follow are well."""
        self._lanes[way].cut_after(size)

    def restore(self) -> None:
        """End black hole, delay and truncation; what was held back arrives."""
        for lane in self._lanes.values():
            lane.delay_seconds = 0.0
            lane.cut_after(None)
            lane.flowing.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                _reset((client,))
                continue
            pair = (client, server)
            with self._lock:
                self._pairs.add(pair)
            for way, (source, sink) in ((Way.REQUEST, pair), (Way.ANSWER, pair[::-1])):
                lane = self._lanes[way]
                threading.Thread(target=self._forward, args=(source, sink, pair, lane), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, pair: _Pair, lane: _Lane) -> None:
        with suppress(OSError):
            while chunk := source.recv(_CHUNK):
                if lane.delay_seconds:
                    lane.held_up += 1
                    time.sleep(lane.delay_seconds)
                lane.flowing.wait()
                passed = lane.admit(len(chunk))
                if passed is not None:
                    sink.sendall(chunk[:passed])
                    break
                sink.sendall(chunk)
        with self._lock:
            self._pairs.discard(pair)
        for each in pair:
            # Wakes the thread of the other direction, which close alone would not.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def _reset(sockets: tuple[socket.socket, ...]) -> None:
    for each in sockets:
        with suppress(OSError):
            # With a linger of zero, close sends a reset.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.shutdown(socket.SHUT_RDWR)
        each.close()


ProxyFactory = Callable[[str], Proxy]
