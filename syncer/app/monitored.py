"""`syncer run --listen`: metrics and health of a daemon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from syncer.app.http_server import answering, given_address, listening, require_server
from syncer.app.redaction import Redact
from syncer.app.wiring import Application
from syncer.ports import Clock

if TYPE_CHECKING:
    from syncer.app.metrics.measured import Measured

#: A pipeline that lags behind for longer is not ready.
_LAG_SECONDS = 300.0
#: Requests that there is room for: a scrape, and the probes of a machine or two.
_REQUESTS = 20


@contextmanager
def monitored(
    application: Application, names: Sequence[str], clock: Clock, redact: Redact, listen: str | None
) -> Iterator[Measured | None]:
    """Answer while the block runs, and lend what is to be told of the pipelines; None: nobody listens.

    Raises ConfigurationError.
    """
    if listen is None:
        yield None
        return
    where = given_address(listen)
    require_server("syncer run --listen")

    from syncer.app.api.monitoring import monitor, monitoring
    from syncer.app.metrics.measured import Measured
    from syncer.app.metrics.registry import registry
    from syncer.app.pipeline_report import reports
    from syncer.app.readiness import following
    from syncer.app.status_board import StatusBoard

    board = StatusBoard(lambda: reports(application, clock, names, redact), clock, redact)
    exported = registry(board)
    measured = Measured(exported, clock)
    routes = monitoring(board, exported, partial(following, lag_seconds=_LAG_SECONDS), tells=True)
    application.measures.append(measured.telemetry)
    with listening(where) as bound, answering(monitor(routes, board, clock), bound, _REQUESTS, "monitoring"):
        yield measured
