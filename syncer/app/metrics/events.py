"""What the engine tells, as log lines and metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from syncer.app.log_events import LogEvents
from syncer.app.progress import LoadProgress
from syncer.core.error import SyncerError
from syncer.core.index import IndexRecord
from syncer.engine.polled import Polled


class MeasuredEvents(LogEvents):
    """Implements `Events` for a pipeline's own index; those beside it are only logged."""

    def __init__(
        self, pipeline: str, progress: LoadProgress, pace: Gauge, window: Gauge, leader: Gauge, backoffs: Counter
    ) -> None:
        super().__init__(pipeline, progress)
        self._pace, self._window, self._leader = (gauge.labels(pipeline) for gauge in (pace, window, leader))
        self._backoffs = backoffs

    def attached(self, record: IndexRecord) -> None:
        super().attached(record)
        self._leader.set(1)

    def polled(self, polled: Polled, seconds: float) -> None:
        super().polled(polled, seconds)
        self._pace.set(polled.pace)
        self._window.set(polled.window)

    def ended(self) -> None:
        super().ended()
        self._leader.set(0)

    def standing_by(self, error: SyncerError) -> None:
        super().standing_by(error)
        self._leader.set(0)

    def backing_off(self, error: SyncerError, attempt: int, seconds: float) -> None:
        super().backing_off(error, attempt, seconds)
        self._leader.set(0)
        self._backoffs.labels(self._pipeline, type(error).__name__).inc()
