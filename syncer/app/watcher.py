"""Looks now and then, and has people told of what asks for attention."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from syncer.adapters.postgres.alerts import PostgresAlerts
from syncer.app.log_events import one_line
from syncer.app.pipeline_report import PipelineReport
from syncer.app.query_times import QueryTimes
from syncer.app.redaction import Redact
from syncer.core.alert import Alert, Judgement, Kept, settle
from syncer.core.alert_rule import PipelineLook, Thresholds, judge_cluster, judge_end, judge_pipeline, judge_queries
from syncer.core.cluster import ClusterLook
from syncer.core.error import SyncerError
from syncer.ports import Clock

#: To each index; of those of ten minutes the two slowest are left out.
_PROBES_A_MINUTE = 20
#: The first look waits for a process that starts, and its lease with it.
_FIRST_SECONDS = 20.0

CLUSTER, SERVED = "cluster", "served"
#: Takes `firing` or `resolved`, and what is.
Tell = Callable[[str, Sequence[Kept]], None]


@dataclass(frozen=True, slots=True)
class Sights:
    """What there is to look at; each may raise any SyncerError."""

    #: Takes the names of pipelines.
    pipelines: Callable[[Sequence[str]], Mapping[str, PipelineReport]]
    cluster: Callable[[], ClusterLook]
    #: Takes the name of a pipeline, and searches its index, for a few seconds at most.
    probe: Callable[[str], None]


class Watcher:
    """Judges what no other process judges already, and tells it; what it has seen is asked for by any thread.

    Queries are sent behind all else, for as long as a look may take, and judged by the next one.
    """

    def __init__(
        self,
        names: Sequence[str],
        sights: Sights,
        alerts: PostgresAlerts,
        thresholds: Thresholds,
        clock: Clock,
        tell: Tell,
        redact: Redact,
        served: QueryTimes | None = None,
    ) -> None:
        """served: how long the queries take that this process answers, if it does; one process judges its own."""
        self._names = names
        self._sights = sights
        self._alerts = alerts
        self._thresholds = thresholds
        self._clock = clock
        self._tell = tell
        self._redact = redact
        self._served = served
        self._times = {name: QueryTimes(pipeline=name) for name in names}
        self._firing: Sequence[Alert] = ()
        self._cluster: ClusterLook | None = None
        self._blind = False
        self._turn = 0

    @property
    def firing(self) -> Sequence[Alert]:
        """What fires, of the cluster and of these pipelines, whatever process judges it; as of the last look."""
        return self._firing

    @property
    def cluster(self) -> ClusterLook | None:
        """The last look at the cluster; None: there is none, or it has failed."""
        return self._cluster

    def run(self, every_seconds: float, ended: Callable[[], bool]) -> None:
        """Look until the process is asked to stop, or the watch has ended."""
        seconds = min(_FIRST_SECONDS, 2 * every_seconds)
        while not self._clock.wait(seconds) and not ended():
            seconds = every_seconds
            try:
                self.look()
                self.send_queries(every_seconds, ended)
            except SyncerError as error:
                # What is held others may be able to settle. A right that is missing may be granted.
                self._alerts.close()
                self._firing, self._cluster = (), None
                if not ended():
                    self._say_blind(error)
            except Exception as error:  # a bug, or the end of the process: pipelines go on
                if not ended():
                    structlog.get_logger().error("alerts are not judged", exc_info=error)
            else:
                self._blind = False

    def look(self) -> None:
        """Look once, settle what is held, and tell what has fired and resolved.

        Raises StateUnavailable, AccessDenied.
        """
        before, self._cluster = self._cluster, self._look_at_cluster()
        if self._alerts.hold(CLUSTER):
            self._settle(CLUSTER, judge_cluster(self._cluster, before, self._thresholds))
        held = [name for name in self._names if self._alerts.hold(scope(name))]
        if held:
            for name, report in self._sights.pipelines(held).items():
                judged = judge_pipeline(_pipeline_look(name, report), self._thresholds)
                slow = judge_queries(self._times[name].look(self._clock.monotonic()), self._thresholds)
                both = Judgement([*judged.conditions, *slow.conditions], judged.unjudged | slow.unjudged)
                self._settle(scope(name), both)
        if self._served is not None:
            if self._alerts.hold(SERVED):
                self._settle(SERVED, judge_queries(self._served.look(self._clock.monotonic()), self._thresholds))
        elif self._alerts.firing([SERVED]) and self._alerts.hold(SERVED):
            # Nobody serves any more; or others do, who have it at their next look.
            self._settle(SERVED, Judgement([]))
            self._alerts.leave(SERVED)
        scopes = [CLUSTER, SERVED, *map(scope, self._names)]
        self._firing = [kept.alert for kept in self._alerts.firing(scopes)]

    def ended(self, pipeline: str, kind: str) -> None:
        """Tell at once that a pipeline has ended with an error of a kind, if its alerts are this process's to tell.

        Never raises: the error that it ended with matters more.
        """
        try:
            if self._alerts.hold(scope(pipeline)):
                self._settle(scope(pipeline), judge_end(pipeline, kind, self._thresholds))
        except SyncerError as error:
            self._say_blind(error)

    def _settle(self, of: str, judgement: Judgement) -> None:
        told = [
            replace(
                each,
                alert=replace(
                    each.alert, message=self._redact(each.alert.message), remedy=self._redact(each.alert.remedy)
                ),
            )
            for each in judgement.conditions
        ]
        settled = self._alerts.settle(
            of, lambda kept: settle(kept, Judgement(told, judgement.unjudged), self._clock.now())
        )
        if settled is not None:
            for status, those in (("firing", settled.fired), ("resolved", settled.resolved)):
                if those:
                    self._tell(status, those)

    def _look_at_cluster(self) -> ClusterLook | None:
        try:
            return self._sights.cluster()
        except SyncerError:
            # Its pipelines have the problem too, with the error.
            return None

    def send_queries(self, every_seconds: float, ended: Callable[[], bool] = lambda: False) -> None:
        """Measure queries to the indices whose alerts this process judges, until half of the time has gone."""
        objective, until = self._thresholds.query_p99_seconds, self._clock.monotonic() + every_seconds / 2
        if objective is None:
            return
        # Where there is no time for all, it is not always the last ones that are left out.
        self._turn += 1
        held = deque(name for name in self._names if self._alerts.held(scope(name)))
        held.rotate(self._turn)
        for name in held:
            for _ in range(math.ceil(every_seconds * _PROBES_A_MINUTE / 60)):
                started = self._clock.monotonic()
                if started > until or ended() or self._clock.stopping():
                    return
                try:
                    self._sights.probe(name)
                except SyncerError:
                    # One that is given up is slow; one that is refused tells nothing of others.
                    if self._clock.monotonic() - started <= objective:
                        break
                self._times[name].add(started, self._clock.monotonic() - started)

    def _say_blind(self, error: SyncerError) -> None:
        if not self._blind:
            self._blind = True
            log = structlog.get_logger()
            log.warning("alerts are not judged", error=one_line(error.message), hint=one_line(error.hint))


def scope(pipeline: str) -> str:
    """Return the scope of a pipeline's alerts."""
    return f"pipeline {pipeline}"


def _pipeline_look(name: str, report: PipelineReport) -> PipelineLook:
    status = report.status
    letters = status.overview.dead_letters if status.overview else None
    return PipelineLook(name, status.state, status.lag_seconds, letters, report.differences, status.problems)
