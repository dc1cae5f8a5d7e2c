"""`syncer serve`: answer searches over HTTP until SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.redaction import Redact
from syncer.app.serve_settings import ServeSettings, address, host_and_port, reached_from_elsewhere
from syncer.core.error import ConfigurationError
from syncer.ports import Clock

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from syncer.app.wiring import Application

#: What is under way at SIGTERM may take so long; a process that hangs is ended a second later.
_GRACE_SECONDS = 3
#: Connections for each request that there is room for: one that is kept alive costs next to nothing.
_CONNECTIONS = 20
_BACKLOG = 2048


def serve(invocation: Invocation, requested: Sequence[str], *, listen: str | None) -> ExitCode:
    """Serve the pipelines. Elasticsearch may be away: requests are told so; the source must answer at the start.

    listen: in place of `serve.listen`. Raises ConfigurationError.
    """
    with invocation.application(when_stopped=ExitCode.DONE) as (application, clock):
        settings, names = application.settings.serve, application.names(requested)
        where = settings.listen if listen is None else _given(listen)
        prove_guarded(settings, where)
        try:
            import fastapi  # noqa: F401  # what is missing is told apart from what is broken
            import jinja2  # noqa: F401
            import uvicorn  # noqa: F401
        except ImportError as error:
            raise ConfigurationError(
                f"syncer serve needs {error.name}, which is not installed", hint='pip install "syncer[serve]"'
            ) from error

        app = over_http(application, names, clock, invocation.redact)
        with listening(where) as bound:
            # From now on there may be requests to finish.
            application.begun = True
            with answering(app, bound, settings, names) as ended:
                while not ended.done() and not clock.wait(0.2):
                    pass
    return ExitCode.DONE


def over_http(application: Application, names: Sequence[str], clock: Clock, redact: Redact) -> FastAPI:
    """Return what answers for pipelines; reads the catalogue, and loads the model where one is needed.

    Raises ConfigurationError; SourceUnavailable.
    """
    from syncer.app.api.application import application as over_http
    from syncer.app.api.searchers import searchers
    from syncer.app.web.pages import web_pages

    searched = {name: application.searched(name) for name in names}
    pages = web_pages(application, searched, clock, redact)
    return over_http(searchers(application, searched), application.settings.serve, clock, pages)


def _given(listen: str) -> str:
    try:
        return address(listen)
    except ValueError as error:
        raise ConfigurationError(f"--listen {listen!r} {error}") from None


def prove_guarded(settings: ServeSettings, where: str) -> None:
    """Raise ConfigurationError where anybody might search who was not meant to."""
    host, _ = host_and_port(where)
    if reached_from_elsewhere(host) and not settings.tokens and not settings.public:
        raise ConfigurationError(
            f"whoever reaches {where} could search everything, for there are no serve.tokens",
            hint="configure serve.tokens; or write serve: {public: true} if anybody may",
        )


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
def answering(
    app: FastAPI, bound: socket.socket, settings: ServeSettings, names: Sequence[str]
) -> Iterator[Future[None]]:
    """Answer on a thread while the block runs; lends what tells whether that has ended. Raises what ended it."""
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
            limit_concurrency=_CONNECTIONS * settings.requests,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    # On a thread, where uvicorn leaves the signals alone: they stop the clock.
    with ThreadPoolExecutor(1, thread_name_prefix="serve") as threads:
        ended = threads.submit(lambda: asyncio.run(_answer(app, server, bound, names)))
        try:
            yield ended
        finally:
            server.should_exit = True
        ended.result()


async def _answer(app: FastAPI, server: uvicorn.Server, bound: socket.socket, names: Sequence[str]) -> None:
    async with app.router.lifespan_context(app):
        host, port = bound.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        # The socket listens already: who comes now waits for a moment.
        structlog.get_logger().info("serving", url=url, pipelines=list(names))
        # What was loaded stays: looking through it for garbage would hold up requests.
        gc.freeze()
        await server.serve(sockets=[bound])
