"""A proxy to Postgres that pools transactions: between two of them, a session's backend is anybody's."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class PoolingProxy:
    """Lends the backend that was given back last, as PgBouncer does in its transaction mode.

    Each client brings a backend of its own into the pool when it logs in, so all must log in to one database as one
    user.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (str(parts.hostname), parts.port or 5432)
        self._idle: list[_Peer] = []
        self._returned = threading.Condition()
        self._peers: list[_Peer] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        login = parts.netloc.rpartition("@")[0]
        self.url = parts._replace(netloc=f"{login}@127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Disconnect everybody."""
        # The accepting thread would otherwise stay in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            peer.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = _Peer(self._listener.accept()[0])
                backend = _Peer(socket.create_connection(self._target))
                self._peers += [client, backend]
                threading.Thread(target=self._serve, args=(client, backend), daemon=True).start()

    def _serve(self, client: _Peer, backend: _Peer) -> None:
        with suppress(OSError, ValueError):
            _log_in(client, backend)
            self._give_back(backend)
            lent: _Peer | None = None
            while True:
                kind, message = client.message()
                if kind == b"X":
                    return
                lent = lent or self._lend()
                lent.socket.sendall(message)
                if kind in (b"Q", b"S"):
                    ready = _answer(lent, client)
                    if ready[5:6] == b"I":
                        # Before the client hears of it: what it does next must find the backend in the pool.
                        self._give_back(lent)
                        lent = None
                    client.socket.sendall(ready)

    def _lend(self) -> _Peer:
        with self._returned:
            assert self._returned.wait_for(lambda: self._idle, timeout=10)
            return self._idle.pop()

    def _give_back(self, backend: _Peer) -> None:
        with self._returned:
            self._idle.append(backend)
            self._returned.notify()


class _Peer:
    """One end of a connection, read message by message."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connected
        self._file = connected.makefile("rb")

    def close(self) -> None:
        # Wakes the thread that reads, which close alone would not.
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        with suppress(OSError):
            self._file.close()

    def message(self) -> tuple[bytes, bytes]:
        kind = self._exactly(1)
        return kind, kind + self.untyped()

    def untyped(self) -> bytes:
        length = self._exactly(4)
        return length + self._exactly(int.from_bytes(length) - 4)

    def _exactly(self, size: int) -> bytes:
        found = self._file.read(size)
        if len(found) < size:
            raise ConnectionResetError
        return found


def _log_in(client: _Peer, backend: _Peer) -> None:
    """Pass the login through; returns when the backend is ready."""
    while (start := client.untyped())[4:8] in (_SSL, _GSS):
        client.socket.sendall(b"N")
    backend.socket.sendall(start)
    while True:
        kind, message = backend.message()
        client.socket.sendall(message)
        if kind == b"Z":
            return
        # Password wanted, or the next step of SCRAM; the last step, like "all is well", wants no answer.
        if kind == b"R" and int.from_bytes(message[5:9]) not in (0, 12):
            backend.socket.sendall(client.message()[1])


_SSL = (80877103).to_bytes(4)
_GSS = (80877104).to_bytes(4)


def _answer(backend: _Peer, client: _Peer) -> bytes:
    """Pass the answer on, but for its last message, which is returned: it tells the state of the transaction."""
    while True:
        kind, message = backend.message()
        if kind == b"Z":
            return message
        client.socket.sendall(message)
