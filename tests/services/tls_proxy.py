"""A proxy that speaks TLS with clients of Postgres, as a server with a certificate does, and not with the server."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def certificate(folder: Path, name: str) -> Path:
    """Return a file with a certificate that a server of this name signs itself, and its key. Needs openssl."""
    file = folder / "certificate.pem"
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    named = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command = ["openssl", "req", "-x509", *options, *named, "-keyout", str(file), "-out", str(folder / "alone.pem")]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + (folder / "alone.pem").read_text())
    return file


@contextmanager
def tls_proxy(target: tuple[str, int], certificate: Path) -> Iterator[int]:
    """Lend the port of a proxy to a server that knows no TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, target, context), daemon=True).start()
        yield listener.getsockname()[1]
        # The accepting thread would otherwise stay in accept().
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, target: tuple[str, int], context: ssl.SSLContext) -> None:
    with suppress(OSError):
        while True:
            client = listener.accept()[0]
            threading.Thread(target=_serve, args=(client, target, context), daemon=True).start()


def _serve(client: socket.socket, target: tuple[str, int], context: ssl.SSLContext) -> None:
    with suppress(OSError), client:
        if client.recv(8, socket.MSG_WAITALL) != _SSL_REQUEST:
            return
        client.sendall(b"S")
        with context.wrap_socket(client, server_side=True) as inside, socket.create_connection(target) as server:
            # One thread for both ways: a TLS socket is not for two.
            inside.settimeout(0.02)
            server.settimeout(0.02)
            while _pass_on(inside, server) and _pass_on(server, inside):
                pass


def _pass_on(source: socket.socket, to: socket.socket) -> bool:
    """Pass on what has come; False where the connection has ended."""
    try:
        found = source.recv(65_536)
    except TimeoutError:
        return True
    to.settimeout(10)
    to.sendall(found)
    to.settimeout(0.02)
    return bool(found)
