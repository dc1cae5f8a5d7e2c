"""What a daemon tells of itself: alerts, and with `--listen` metrics and health."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from syncer.app.http_server import answering, given_address, listening, require_server
from syncer.app.log_events import LogEvents
from syncer.app.pipeline_report import Reporter
from syncer.app.progress import LoadProgress
from syncer.app.readiness import Part, following
from syncer.app.redaction import Redact
from syncer.app.status_board import EVERY_SECONDS, StatusBoard
from syncer.app.watcher import Watcher
from syncer.app.watching import seen_on, watching
from syncer.app.wiring import Application
from syncer.ports import Clock

if TYPE_CHECKING:
    from syncer.app.metrics.measured import Measured

#: How old a look may be by which a process is not ready.
_SOON_SECONDS = 3.0
#: Requests that there is room for: a scrape, and the probes of a machine or two.
_REQUESTS = 20


@dataclass(frozen=True, slots=True)
class Monitor:
    """Whom pipelines tell how they are."""

    #: None: nobody listens.
    measured: Measured | None
    #: None: alerts are off.
    watcher: Watcher | None

    def events(self, pipeline: str, progress: LoadProgress) -> LogEvents:
        """Return what is told of a pipeline as it goes on."""
        return (self.measured.events if self.measured else LogEvents)(pipeline, progress)

    def ended(self, pipeline: str, error: Exception) -> None:
        """Have people told that a pipeline has ended with an error. Never raises."""
        if self.watcher:
            self.watcher.ended(pipeline, type(error).__name__)


@contextmanager
def monitored(
    application: Application,
    names: Sequence[str],
    clock: Clock,
    redact: Redact,
    listen: str | None,
    stuck: Callable[[float], Sequence[str]],
    of_pipeline: Callable[[str], Application],
) -> Iterator[Monitor]:
    """Watch and answer while the block runs, and lend whom the pipelines tell.

    stuck: returns the pipelines that have not moved for so many seconds though they are at work. of_pipeline: the
    application that a pipeline belongs to by then; another one, once the configuration was read again.
    Raises ConfigurationError.
    """
    with closing(Reporter(of_pipeline, clock, names, redact)) as reporter:
        if listen is None:
            with watching(application, names, clock, reporter) as watcher:
                yield Monitor(None, watcher)
        else:
            with _listening(application, names, clock, redact, listen, stuck, reporter) as monitor:
                yield monitor


@contextmanager
def _listening(
    application: Application,
    names: Sequence[str],
    clock: Clock,
    redact: Redact,
    listen: str,
    stuck: Callable[[float], Sequence[str]],
    reporter: Reporter,
) -> Iterator[Monitor]:
    where = given_address(listen)
    require_server("syncer run --listen")

    from syncer.app.api.monitoring import monitor as probes
    from syncer.app.api.monitoring import monitoring
    from syncer.app.metrics.measured import Measured
    from syncer.app.metrics.registry import registry
    from syncer.app.metrics.watched import WatchCollector

    board = StatusBoard(reporter, clock, redact)
    exported = registry(board)
    measured = Measured(exported, clock)
    lag_seconds = application.settings.alerts.lag or math.inf

    async def ready(_: object) -> Sequence[Part]:
        needed = following(await board.board(EVERY_SECONDS), lag_seconds)
        if all(part.ready for part in needed):
            return needed
        # That it is mended is to be seen soon.
        return following(await board.board(_SOON_SECONDS), lag_seconds)

    routes = monitoring(board, exported, ready, tells=True)
    application.measures.append(measured.telemetry)
    with (
        listening(where) as bound,
        answering(probes(routes, board, clock, stuck), bound, _REQUESTS, "monitoring") as ended,
        watching(application, names, clock, seen_on(board)) as watcher,
    ):
        ended.add_done_callback(_told)
        if watcher is not None:
            exported.register(WatchCollector(lambda: watcher.cluster, lambda: watcher.firing))
        yield Monitor(measured, watcher)


def _told(ended: Future[None]) -> None:
    """Log what has ended the answers: the pipelines go on, and nothing else would tell."""
    if error := ended.exception():
        structlog.get_logger().error("metrics and probes are not answered any more", exc_info=error)
