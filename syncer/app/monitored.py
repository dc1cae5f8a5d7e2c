"""What a daemon tells of itself: alerts, and with `--listen` metrics and health."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from syncer.app.http_server import answering, given_address, listening, require_server
from syncer.app.pipeline_report import reports
from syncer.app.redaction import Redact
from syncer.app.status_board import StatusBoard
from syncer.app.watching import seen_on, watching
from syncer.app.wiring import Application
from syncer.ports import Clock

if TYPE_CHECKING:
    from syncer.app.metrics.measured import Measured

#: Requests that there is room for: a scrape, and the probes of a machine or two.
_REQUESTS = 20


@contextmanager
def monitored(
    application: Application,
    names: Sequence[str],
    clock: Clock,
    redact: Redact,
    listen: str | None,
    stuck: Callable[[float], Sequence[str]],
) -> Iterator[Measured | None]:
    """Watch and answer while the block runs, and lend what is to be told of the pipelines; None: nobody listens.

    stuck: returns the pipelines that have not moved for so many seconds though they are at work.
    Raises ConfigurationError.
    """
    if listen is None:
        with watching(application, names, clock, lambda asked: reports(application, clock, asked, redact)):
            yield None
        return
    where = given_address(listen)
    require_server("syncer run --listen")

    from syncer.app.api.monitoring import monitor, monitoring
    from syncer.app.metrics.measured import Measured
    from syncer.app.metrics.registry import registry
    from syncer.app.metrics.watched import WatchCollector
    from syncer.app.readiness import following

    board = StatusBoard(lambda: reports(application, clock, names, redact), clock, redact)
    exported = registry(board)
    measured = Measured(exported, clock)
    lag_seconds = application.settings.alerts.lag or math.inf
    routes = monitoring(board, exported, partial(following, lag_seconds=lag_seconds), tells=True)
    application.measures.append(measured.telemetry)
    with (
        listening(where) as bound,
        answering(monitor(routes, board, clock, stuck), bound, _REQUESTS, "monitoring"),
        watching(application, names, clock, seen_on(board)) as watcher,
    ):
        if watcher is not None:
            exported.register(WatchCollector(lambda: watcher.cluster, lambda: watcher.firing))
        yield measured
