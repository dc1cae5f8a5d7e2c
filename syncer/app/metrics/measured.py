"""What is counted and timed while pipelines run and searches are served."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from syncer.app.metrics import definition as of
from syncer.app.metrics.definition import Definition
from syncer.app.metrics.events import MeasuredEvents
from syncer.app.progress import LoadProgress
from syncer.core.outcome import Deferred, Outcome, Rejected
from syncer.core.report import Report
from syncer.engine.telemetry import Step
from syncer.ports import Clock

#: Reasons that are told apart: Elasticsearch's kinds of errors, of which it knows some hundreds. The rest is `other`.
_REASONS_MAX = 50


class Measured:
    """The metrics of one process; for several threads."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self.clock = clock
        self.rows_read = _counter(of.ROWS_READ, registry)
        self.documents = _counter(of.DOCUMENTS, registry)
        self.refused = _counter(of.REFUSED, registry)
        self.texts = _counter(of.TEXTS, registry)
        self.truncated = _counter(of.TRUNCATED, registry)
        self.step_seconds = _histogram(of.STEP_SECONDS, registry)
        self.step_rows = _histogram(of.STEP_ROWS, registry)
        self.writes = _gauge(of.WRITES, registry)
        self.pace = _gauge(of.PACE, registry)
        self.window = _gauge(of.WINDOW, registry)
        self.leader = _gauge(of.LEADER, registry)
        self.backoffs = _counter(of.BACKOFFS, registry)
        self.request_seconds = _histogram(of.REQUEST_SECONDS, registry)
        self._reasons: set[str] = set()

    def events(self, pipeline: str, progress: LoadProgress) -> MeasuredEvents:
        """Return what is told of a pipeline: log lines, too."""
        return MeasuredEvents(pipeline, progress, self.pace, self.window, self.leader, self.backoffs)

    def telemetry(self, pipeline: str) -> PipelineTelemetry:
        """Return what measures a pipeline."""
        return PipelineTelemetry(self, pipeline)

    def served(self, route: str, status: int, seconds: float) -> None:
        """Note a request; route: as it is declared, so that there are few."""
        self.request_seconds.labels(route, str(status)).observe(seconds)

    def reason(self, text: str) -> str:
        """Return the reason as a label has it: of text that comes from a server there may be no end."""
        kind = text.partition(":")[0].strip()
        if kind not in self._reasons:
            if len(self._reasons) >= _REASONS_MAX or len(kind) > 100:
                return "other"
            self._reasons.add(kind)
        return kind


class PipelineTelemetry:
    """Implements `Telemetry`."""

    def __init__(self, measured: Measured, pipeline: str) -> None:
        self._measured = measured
        self._pipeline = pipeline
        self._writes = measured.writes.labels(pipeline)
        self._seconds = {step: measured.step_seconds.labels(pipeline, step.value) for step in Step}
        self._rows = {step: measured.step_rows.labels(pipeline, step.value) for step in Step}

    def step(self, step: Step, rows: int | None = None) -> AbstractContextManager[object]:
        return self._timed(step, rows)

    @contextmanager
    def _timed(self, step: Step, rows: int | None) -> Iterator[None]:
        clock = self._measured.clock
        if rows is not None:
            self._rows[step].observe(rows)
        if step is Step.WRITE:
            self._writes.inc()
        started = clock.monotonic()
        try:
            yield
        finally:
            self._seconds[step].observe(clock.monotonic() - started)
            if step is Step.WRITE:
                self._writes.dec()

    def delivered(self, outcomes: Collection[Outcome], report: Report) -> None:
        measured, pipeline = self._measured, self._pipeline
        measured.rows_read.labels(pipeline).inc(report.read)
        counts = {
            "applied": report.applied - report.unchanged,
            "unchanged": report.unchanged,
            "stale": report.stale,
            "rejected": report.rejected,
            "deferred": report.deferred,
        }
        for outcome, count in counts.items():
            measured.documents.labels(pipeline, outcome).inc(count)
        measured.texts.labels(pipeline, "embedded").inc(report.embedded)
        measured.texts.labels(pipeline, "cached").inc(report.cached)
        measured.truncated.labels(pipeline).inc(report.truncated)
        # Seldom, so that a load need not look at each of its documents.
        if report.rejected or report.deferred:
            for each in outcomes:
                match each:
                    case Rejected(kind):
                        measured.refused.labels(pipeline, "rejected", measured.reason(kind)).inc()
                    case Deferred(reason):
                        measured.refused.labels(pipeline, "deferred", measured.reason(reason)).inc()


def _counter(of: Definition, registry: CollectorRegistry) -> Counter:
    return Counter(of.name, of.help, of.labels, registry=registry)


def _gauge(of: Definition, registry: CollectorRegistry) -> Gauge:
    return Gauge(of.name, of.help, of.labels, registry=registry)


def _histogram(of: Definition, registry: CollectorRegistry) -> Histogram:
    return Histogram(of.name, of.help, of.labels, buckets=of.buckets, registry=registry)
