"""`syncer serve`: answer searches over HTTP until SIGTERM."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from syncer.app.exit_code import ExitCode
from syncer.app.http_server import answering, given_address, listening, require_server
from syncer.app.invocation import Invocation
from syncer.app.pipeline_report import Reporter
from syncer.app.query_times import QueryTimes
from syncer.app.readiness import Part, Searching
from syncer.app.redaction import Redact
from syncer.app.serve_settings import ServeSettings, host_and_port, reached_from_elsewhere
from syncer.app.status_board import StatusBoard
from syncer.app.watching import seen_on, watching
from syncer.core.error import ConfigurationError
from syncer.ports import Clock

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from syncer.app.wiring import Application

#: The status of a request that took too long.
_GIVEN_UP = 504


def serve(invocation: Invocation, requested: Sequence[str], *, listen: str | None) -> ExitCode:
    """Serve the pipelines. Elasticsearch may be away: requests are told so; the source must answer at the start.

    listen: in place of `serve.listen`. Raises ConfigurationError.
    """
    with invocation.application(when_stopped=ExitCode.DONE) as (application, clock):
        settings, names = application.settings.serve, application.names(requested)
        where = settings.listen if listen is None else given_address(listen)
        prove_guarded(settings, where)
        require_server("syncer serve")
        reporter = _reporter(application, names, clock, invocation.redact)
        board = StatusBoard(reporter, clock, invocation.redact)
        queries = QueryTimes(measured="syncer serve")
        app = over_http(application, names, clock, invocation.redact, board, queries)
        with listening(where) as bound, closing(reporter):
            # From now on there may be requests to finish.
            application.begun = True
            with (
                answering(app, bound, settings.requests, "serving", pipelines=names) as ended,
                watching(application, names, clock, seen_on(board), queries),
            ):
                while not ended.done() and not clock.wait(0.2):
                    pass
    return ExitCode.DONE


def over_http(
    application: Application,
    names: Sequence[str],
    clock: Clock,
    redact: Redact,
    board: StatusBoard | None = None,
    queries: QueryTimes | None = None,
) -> FastAPI:
    """Return what answers for pipelines; reads the catalogue, and loads the model where one is needed.

    board: left out, one of its own. queries: are told how long searches took.

    Raises ConfigurationError; SourceUnavailable.
    """
    from syncer.app.api.application import application as answering_application
    from syncer.app.api.monitoring import monitoring
    from syncer.app.api.scope import Served, unrestricted
    from syncer.app.api.searchers import searchers
    from syncer.app.metrics.measured import Measured
    from syncer.app.metrics.registry import registry
    from syncer.app.web.pages import web_pages

    settings = application.settings.serve
    searched = {name: application.searched(name) for name in names}
    board = board or StatusBoard(_reporter(application, names, clock, redact), clock, redact)
    searching = Searching(clock)
    exported = registry(board)
    measured = Measured(exported, clock)

    def served(route: str, status: int, seconds: float) -> None:
        measured.served(route, status, seconds)
        # One that was given up is the slowest of all.
        if queries is not None and route.endswith("/search") and (status < 400 or status == _GIVEN_UP):
            queries.add(clock.monotonic(), seconds)

    async def ready(request: Request) -> Sequence[Part]:
        served: Served = request.app.state.served
        return await searching.parts(served.searchers)

    return answering_application(
        searchers(application, searched),
        settings,
        clock,
        web_pages(searched, board, settings, clock),
        [monitoring(board, exported, ready, guards=[unrestricted(settings)], tells=False)],
        served,
    )


def _reporter(application: Application, names: Sequence[str], clock: Clock, redact: Redact) -> Reporter:
    return Reporter(lambda _: application, clock, names, redact, letters=True)


def prove_guarded(settings: ServeSettings, where: str) -> None:
    """Raise ConfigurationError where anybody might search who was not meant to."""
    host, _ = host_and_port(where)
    if reached_from_elsewhere(host) and not settings.tokens and not settings.public:
        raise ConfigurationError(
            f"whoever reaches {where} could search everything, for there are no serve.tokens",
            hint="configure serve.tokens; or write serve: {public: true} if anybody may",
        )
