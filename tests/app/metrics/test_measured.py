"""What is counted and timed."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from syncer.adapters.memory.clock import MemoryClock
from syncer.app.metrics.measured import Measured
from syncer.app.progress import LoadLines
from syncer.core.error import SinkUnavailable
from syncer.core.outcome import Applied, Deferred, Outcome, Rejected
from syncer.core.report import Report
from syncer.engine.polled import Polled
from syncer.engine.telemetry import Step
from tests.builders import a_world


def measured() -> tuple[CollectorRegistry, Measured, MemoryClock]:
    registry, clock = CollectorRegistry(), MemoryClock()
    return registry, Measured(registry, clock), clock


def test_steps_are_timed_with_the_rows_that_they_are_about() -> None:
    """One that fails, too."""
    registry, of, clock = measured()
    try:
        with of.telemetry("items").step(Step.WRITE, 500):
            assert registry.get_sample_value("syncer_writes_in_progress", {"pipeline": "items"}) == 1
            clock.advance(3)
            raise SinkUnavailable("away")
    except SinkUnavailable:
        pass
    labels = {"pipeline": "items", "step": "write"}
    assert registry.get_sample_value("syncer_step_duration_seconds_sum", labels) == 3
    assert registry.get_sample_value("syncer_step_duration_seconds_count", labels) == 1
    assert registry.get_sample_value("syncer_step_rows_bucket", {**labels, "le": "250.0"}) == 0
    assert registry.get_sample_value("syncer_step_rows_bucket", {**labels, "le": "500.0"}) == 1
    assert registry.get_sample_value("syncer_writes_in_progress", {"pipeline": "items"}) == 0


def test_documents_are_counted_by_outcome_and_reason() -> None:
    """Those that are there already apart from those that are written."""
    registry, of, _ = measured()
    outcomes: list[Outcome] = [
        Applied(),
        Rejected("mapper_parsing_exception", "no number"),
        Deferred("es_rejected_execution_exception: queue is full"),
        Deferred("es_rejected_execution_exception: queue is fuller"),
    ]
    of.telemetry("items").delivered(outcomes, Report(read=9, applied=6, unchanged=5, rejected=1, deferred=2, cached=4))
    found = {
        outcome: registry.get_sample_value("syncer_documents_total", {"pipeline": "items", "outcome": outcome})
        for outcome in ("applied", "unchanged", "stale", "rejected", "deferred")
    }
    assert found == {"applied": 1, "unchanged": 5, "stale": 0, "rejected": 1, "deferred": 2}
    why = {"pipeline": "items", "outcome": "deferred", "reason": "es_rejected_execution_exception"}
    assert registry.get_sample_value("syncer_documents_refused_total", why) == 2
    assert registry.get_sample_value("syncer_rows_read_total", {"pipeline": "items"}) == 9
    assert registry.get_sample_value("syncer_texts_total", {"pipeline": "items", "result": "cached"}) == 4


def test_reasons_are_bounded() -> None:
    """A server that makes up a kind of error for each row must not fill anybody's memory."""
    registry, of, _ = measured()
    rows = [Rejected(f"kind_{i}", "") for i in range(1000)]
    of.telemetry("items").delivered(rows, Report(rejected=1000))
    series = [each for metric in registry.collect() for each in metric.samples if each.name.endswith("refused_total")]
    assert len(series) < 60
    assert sum(each.value for each in series) == 1000


def test_a_pipeline_that_is_followed_here_is_told_from_one_that_is_stood_by() -> None:
    """With what a poll has seen, and with each time that it is given up."""
    registry, of, clock = measured()
    world = a_world()
    world.worker().run_once()
    events = of.events("items", LoadLines("items", clock))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"pipeline": "items", **labels})

    events.attached(world.record)
    events.polled(Polled(Report(), window=12, pace=0.5), 0.1)
    assert (value("syncer_leader"), value("syncer_window_entries"), value("syncer_pace_ratio")) == (1, 12, 0.5)
    events.backing_off(SinkUnavailable("away"), 1, 2.0)
    assert value("syncer_leader") == 0
    assert value("syncer_backoffs_total", error="SinkUnavailable") == 1
    events.attached(world.record)
    events.standing_by(SinkUnavailable("held"))
    assert value("syncer_leader") == 0


def test_requests_are_timed_by_route() -> None:
    """Not by address, of which there is no end."""
    registry, of, _ = measured()
    of.served("/documents/{key}", 200, 0.01)
    of.served("/documents/{key}", 200, 0.03)
    labels = {"route": "/documents/{key}", "status": "200"}
    assert registry.get_sample_value("syncer_http_request_duration_seconds_count", labels) == 2
