"""`/readyz` and `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog
from fastapi import Request
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from syncer.adapters.clock import SystemClock
from syncer.app.api.monitoring import monitor, monitoring
from syncer.app.metrics.measured import Measured
from syncer.app.metrics.registry import registry
from syncer.app.pipeline_report import PipelineReport
from syncer.app.readiness import Part
from syncer.app.status import PipelineStatus
from syncer.app.status_board import StatusBoard
from syncer.core.report import Report


@contextmanager
def monitored(*missing: str, tells: bool = True, stuck: Sequence[str] = ()) -> Iterator[tuple[TestClient, Measured]]:
    """Lend a client of an application some of whose parts are missing."""

    def look() -> Mapping[str, PipelineReport]:
        return {"items": PipelineReport(PipelineStatus("items", "following", documents=3))}

    async def parts(_: Request) -> Sequence[Part]:
        return [Part(name, name not in missing, f"saw {name}") for name in ("state", "items.source")]

    clock = SystemClock()
    board = StatusBoard(look, clock)
    exported = registry(board)
    app = monitor(monitoring(board, exported, parts, tells=tells), board, clock, lambda _seconds: stuck)
    with TestClient(app) as client:
        yield client, Measured(exported, clock)


def test_a_process_that_lacks_nothing_is_ready() -> None:
    """It tells of each part."""
    with monitored() as (client, _):
        answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "missing": [],
        "parts": {"state": "saw state", "items.source": "saw items.source"},
    }


def test_what_is_missing_is_named_and_not_ready() -> None:
    """But where callers need not know the names of pipelines."""
    with monitored("items.source", tells=False) as (client, _):
        answer = client.get("/readyz")
        assert client.get("/healthz").status_code == 200
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready"}
    with monitored("items.source") as (client, _):
        assert client.get("/readyz").json()["missing"] == ["items.source"]


def test_a_process_one_of_whose_pipelines_is_stuck_is_not_well() -> None:
    """A restart may help it; nothing that is away does that."""
    with monitored("items.source", stuck=["items"]) as (client, _):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "stuck", "pipelines": ["items"]})


def test_metrics_are_exported_with_those_of_the_process() -> None:
    """What was counted, what was seen, and what the process takes."""
    with monitored() as (client, measured):
        measured.telemetry("items").delivered([], Report(read=7))
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.labels.get("pipeline", "items") == "items"
    }
    assert found["syncer_rows_read_total"] == 7
    assert found["syncer_index_documents"] == 3
    assert found["process_resident_memory_bytes"] > 0
    assert "process_cpu_seconds_total" in found


def test_scrapes_ask_the_servers_no_more_than_the_charts_do() -> None:
    """However many come."""
    looks: list[int] = []

    def look() -> Mapping[str, PipelineReport]:
        looks.append(1)
        return {}

    async def parts(_: Request) -> Sequence[Part]:
        return []

    clock = SystemClock()
    board = StatusBoard(look, clock, fresh_seconds=0)
    app = monitor(monitoring(board, registry(board), parts, tells=True), board, clock)
    with TestClient(app) as client:
        for _ in range(5):
            assert client.get("/metrics").status_code == 200
    assert len(looks) == 1


def test_openmetrics_are_exported_where_they_are_asked_for() -> None:
    """As newer versions of Prometheus do."""
    with monitored() as (client, _):
        answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_scrapes_and_probes_do_not_fill_the_log() -> None:
    """They come every few seconds, for years."""
    with monitored() as (client, _), structlog.testing.capture_logs() as lines:
        for path in ("/metrics", "/readyz", "/healthz"):
            client.get(path)
        client.get("/nowhere")
    assert [line["path"] for line in lines if line["log_level"] == "info"] == ["/nowhere"]
