"""Spans of polls and their steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from pydantic import ValidationError

from syncer.adapters.memory.clock import MemoryClock
from syncer.app.settings import Settings
from syncer.app.trace_settings import TraceSettings
from syncer.app.tracing import Tracing, tracing
from syncer.app.wiring import Application
from syncer.core.error import SinkUnavailable
from syncer.engine.telemetry import Step
from tests.builders import a_world


def spans(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def test_the_steps_of_a_poll_are_parts_of_its_span() -> None:
    """Those that another thread does, too."""
    exporter = InMemorySpanExporter()
    world = a_world(telemetry=Tracing(SimpleSpanProcessor(exporter)).telemetry("items"))
    world.worker().run_once()
    world.table.put(("1",), n=1)
    exporter.clear()
    with world.following() as poll:
        poll()
    found = spans(exporter)
    poll_span = found.pop("poll")
    assert poll_span.parent is None
    assert set(found) == {"observe", "read", "hydrate", "write", "commit"}
    assert poll_span.context is not None
    assert {span.parent and span.parent.span_id for span in found.values()} == {poll_span.context.span_id}
    assert found["write"].attributes == {"syncer.pipeline": "items", "syncer.rows": 1}


def test_a_step_that_fails_says_with_what_and_not_why() -> None:
    """A message may quote anything."""
    exporter = InMemorySpanExporter()
    world = a_world(telemetry=Tracing(SimpleSpanProcessor(exporter)).telemetry("items"))
    world.worker().run_once()
    world.table.put(("1",), n=1)
    world.outage = SinkUnavailable("the password is hunter2")
    with world.following() as poll, pytest.raises(SinkUnavailable):
        poll()
    found = spans(exporter)
    for name in ("write", "poll"):
        assert found[name].status.status_code is StatusCode.ERROR
        assert (found[name].attributes or {})["error.type"] == "SinkUnavailable"
    assert "hunter2" not in "".join(span.to_json() for span in found.values())


def test_a_share_of_polls_is_traced_whole() -> None:
    """None of the steps of one that is not."""
    exporter = InMemorySpanExporter()
    world = a_world(telemetry=Tracing(SimpleSpanProcessor(exporter), ratio=0.5).telemetry("items"))
    world.worker().run_once()
    exporter.clear()
    with world.following() as poll:
        # That all of them are traced, or none, has a chance of 2 to the power of -59.
        for number in range(60):
            world.table.put(("1",), n=number)
            poll()
    polls: dict[int, set[str]] = {}
    for span in exporter.get_finished_spans():
        assert span.context is not None
        of = span.context if span.parent is None else span.parent
        polls.setdefault(of.span_id, set()).add(span.name)
    assert 0 < len(polls) < 60
    whole = {"poll", "observe", "read", "hydrate", "write", "commit"}
    assert all(names == whole for names in polls.values())


def test_the_end_does_not_wait_for_a_collector_that_hangs() -> None:
    """The process is to be gone in seconds; what was not sent is lost."""
    sent, hangs = Event(), Event()

    class Hanging(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            sent.set()
            hangs.wait(60)
            return super().export(spans)

    exporter = Hanging()
    traced = tracing(TraceSettings(endpoint="http://127.0.0.1:1/v1/traces"), exporter)
    with traced.telemetry("items").step(Step.READ):
        pass
    traced.close()
    assert sent.is_set()
    assert not exporter.get_finished_spans()
    hangs.set()


def test_nothing_is_traced_unless_it_is_asked_for(tmp_path: Path) -> None:
    """With an endpoint, every pipeline is."""
    (tmp_path / "syncer.yaml").write_text(
        "{source: {url: postgresql://x}, elasticsearch: {hosts: [http://x:1]}, pipelines: {items: {table: items}}}"
    )
    settings = Settings.load(tmp_path / "syncer.yaml", {})
    assert Application(settings, MemoryClock()).measures == []
    asked = settings.model_copy(update={"traces": TraceSettings(endpoint="http://127.0.0.1:1/v1/traces")})
    application = Application(asked, MemoryClock())
    assert len(application.measures) == 1
    application.close()


def test_what_has_ended_is_sent_at_the_end() -> None:
    """Spans wait to be sent together."""
    exporter = InMemorySpanExporter()
    made = tracing(TraceSettings(endpoint="http://127.0.0.1:1/v1/traces"), exporter)
    world = a_world(telemetry=made.telemetry("items"))
    world.worker().run_once()
    made.close()
    assert "poll" in spans(exporter)


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector", "http://user:secret@collector:4318"])
def test_an_endpoint_must_be_a_url_without_a_password(endpoint: str) -> None:
    """It would be in logs."""
    with pytest.raises(ValidationError) as refused:
        TraceSettings(endpoint=endpoint)
    assert "must" in str(refused.value)
