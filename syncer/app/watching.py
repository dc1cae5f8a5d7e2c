"""The watch of a daemon: what it looks at, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from threading import Thread

import structlog

from syncer.adapters.elastic.cluster import ElasticCluster
from syncer.adapters.elastic.probe import ElasticProbe
from syncer.adapters.postgres.alerts import FROZEN_SECONDS, PostgresAlerts
from syncer.adapters.webhook import Hook, Webhook
from syncer.app.alert_settings import WebhookSettings
from syncer.app.log_events import one_line
from syncer.app.pipeline_report import PipelineReport
from syncer.app.query_times import QueryTimes
from syncer.app.status_board import EVERY_SECONDS, StatusBoard
from syncer.app.watcher import Sights, Tell, Watcher
from syncer.app.wiring import Application
from syncer.core.alert import Kept, Severity
from syncer.core.cluster import ClusterLook
from syncer.core.error import StateUnavailable
from syncer.ports import Clock

#: What a board saw longer ago tells nothing of now.
_OLD_SECONDS = 3 * EVERY_SECONDS
#: A query that takes longer is given up, and counts as that slow.
_PROBE_SECONDS = 5.0


@contextmanager
def watching(
    application: Application,
    names: Sequence[str],
    clock: Clock,
    pipelines: Callable[[Sequence[str]], Mapping[str, PipelineReport]],
    served: QueryTimes | None = None,
) -> Iterator[Watcher | None]:
    """Watch while the block runs, and lend what was seen; None: alerts are off.

    pipelines: how those of these names are. served: how long the queries take that the process answers.

    Its end does not wait for a server that does not answer.
    """
    settings = application.settings.alerts
    if settings.every is None:
        yield None
        return
    alerts = PostgresAlerts(
        application.settings.state_url.get_secret_value(),
        application.settings.state.schema_,
        setting=application.settings.state_setting,
        frozen_seconds=max(FROZEN_SECONDS, 5 * settings.every),
    )
    seen = _Elastic(application, names, clock)
    ended: list[bool] = []
    with ExitStack() as stack:
        tell = stack.enter_context(_told(settings.webhook, clock))
        sights = Sights(pipelines, seen.look, seen.probe)
        watcher = Watcher(names, sights, alerts, settings.thresholds(), clock, tell, application.redact, served)

        def watch() -> None:
            try:
                watcher.run(settings.every or 0.0, lambda: bool(ended))
            finally:
                alerts.close()

        # A daemon: joined, it would hold up the end of the process.
        Thread(target=watch, name="alerts", daemon=True).start()
        stack.callback(ended.append, True)
        yield watcher


def seen_on(board: StatusBoard) -> Callable[[Sequence[str]], Mapping[str, PipelineReport]]:
    """Return what takes the pipelines from the last look of a board, which looks anyway.

    What it returns raises StateUnavailable where the board cannot look.
    """

    def seen(asked: Sequence[str]) -> Mapping[str, PipelineReport]:
        last = board.last
        if last.look is None and last.trouble is None:
            return {}
        if last.look is None or last.age_seconds > _OLD_SECONDS:
            raise StateUnavailable(last.trouble or "the servers take long to answer")
        return {name: report for name, report in last.look.reports.items() if name in asked}

    return seen


class _Elastic:
    """What there is to see in Elasticsearch, which may be away when the watch begins."""

    def __init__(self, application: Application, names: Sequence[str], clock: Clock) -> None:
        self._application = application
        self._aliases = {name: application.settings.alias(name) for name in names}
        self._clock = clock

    @cached_property
    def _cluster(self) -> ElasticCluster:
        return ElasticCluster(self._application.elasticsearch, self._aliases)

    @cached_property
    def _probe(self) -> ElasticProbe:
        # Longer than anybody waits for a search; and others are still to be looked at.
        objective = self._application.settings.alerts.query_p99 or 0.0
        return ElasticProbe(self._application.elasticsearch, max(_PROBE_SECONDS, 2 * objective))

    def look(self) -> ClusterLook:
        return self._cluster.look(self._clock.monotonic())

    def probe(self, name: str) -> None:
        self._probe.search(self._aliases[name])


@contextmanager
def _told(settings: WebhookSettings, clock: Clock) -> Iterator[Tell]:
    """Lend what tells, while the block runs: the log, and the webhook if there is one."""
    if settings.url is None:
        yield _log
        return
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    webhook = Webhook(Hook(settings.url.get_secret_value(), headers, settings.request_timeout), clock, _failed)

    def tell(status: str, kept: Sequence[Kept]) -> None:
        _log(status, kept)
        webhook.tell(status, kept, clock.now().isoformat())

    with webhook.telling():
        yield tell


def _log(status: str, kept: Sequence[Kept]) -> None:
    for one in kept:
        alert = one.alert
        grave = alert.severity is Severity.CRITICAL
        log = structlog.get_logger(**alert.labels)
        if status == "resolved":
            log.info("alert resolved", alert=alert.name, since=one.since.isoformat())
        else:
            (log.error if grave else log.warning)(
                "alert firing",
                alert=alert.name,
                severity=alert.severity.value,
                said=one_line(alert.message),
                remedy=one_line(alert.remedy),
                since=one.since.isoformat(),
            )


def _failed(said: str, given_up: bool) -> None:
    structlog.get_logger().warning(
        "alerts were not told" if given_up else "telling alerts failed", error=one_line(said)
    )
