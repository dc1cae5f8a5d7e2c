"""Answering HTTP on a thread, beside what the process does."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from syncer.app.serve_settings import address, host_and_port
from syncer.core.error import ConfigurationError

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

#: What is under way at SIGTERM may take so long; a process that hangs is ended a second later.
_GRACE_SECONDS = 3
#: Connections for each request that there is room for: one that is kept alive costs next to nothing.
_CONNECTIONS = 20
_BACKLOG = 2048


def require_server(what: str) -> None:
    """Raise ConfigurationError where the libraries are not installed that `what` needs."""
    try:
        import fastapi  # noqa: F401  # what is missing is told apart from what is broken
        import jinja2  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            f"{what} needs {error.name}, which is not installed", hint='pip install "syncer[serve]"'
        ) from error


def given_address(listen: str) -> str:
    """Return the value of `--listen`. Raises ConfigurationError."""
    try:
        return address(listen)
    except ValueError as error:
        raise ConfigurationError(f"--listen {listen!r} {error}") from None


def listening(where: str) -> socket.socket:
    """Return a socket that listens. Raises ConfigurationError."""
    host, port = host_and_port(where)
    try:
        family, kind, protocol, _, resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Not create_server(), which names no protocol: asyncio takes that for none of TCP, and each answer waits 40 ms
        # until its headers are acknowledged.
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(resolved)
            bound.listen(_BACKLOG)
        except OSError:
            bound.close()
            raise
        return bound
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {where}: {error.strerror}", hint="choose another with --listen HOST:PORT"
        ) from error


@contextmanager
def answering(app: FastAPI, bound: socket.socket, requests: int, said: str, **told: Any) -> Iterator[Future[None]]:
    """Answer on a thread while the block runs; lends what tells whether that has ended. Raises what ended it.

    requests: that there is room for. said: what the log says when it begins, with what else is told.
    """
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            # Ours is configured already; a line for each request is written by the gate.
            log_config=None,
            log_level="warning",
            access_log=False,
            # Entered below: what fails there is to be told as any other error.
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS * requests,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    # On a thread, where uvicorn leaves the signals alone: they stop the clock.
    with ThreadPoolExecutor(1, thread_name_prefix="serve") as threads:
        ended = threads.submit(_run, server, partial(_answer, app, server, bound, said, told))
        try:
            yield ended
        finally:
            server.should_exit = True
        ended.result()


def _run(server: uvicorn.Server, answer: Callable[[], Coroutine[Any, Any, None]]) -> None:
    # uvloop's loop where there is one.
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(answer())


async def _answer(
    app: FastAPI, server: uvicorn.Server, bound: socket.socket, said: str, told: Mapping[str, Any]
) -> None:
    async with app.router.lifespan_context(app):
        host, port = bound.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        # The socket listens already: who comes now waits for a moment.
        structlog.get_logger().info(said, url=url, **told)
        # What was loaded stays: looking through it for garbage would hold up requests.
        gc.freeze()
        await server.serve(sockets=[bound])
