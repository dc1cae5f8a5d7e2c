"""Spans of polls and their steps, sent to a collector of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from threading import Thread

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import StatusCode, Tracer

from syncer import __version__
from syncer.app.trace_settings import TraceSettings
from syncer.core.outcome import Outcome
from syncer.core.report import Report
from syncer.engine.telemetry import Step

#: How long the end of the process waits for a collector that does not answer.
_END_SECONDS = 2.0
#: Spans that wait to be sent; more are dropped.
_WAITING_MAX = 4096


class Tracing:
    """Makes the spans of one process."""

    def __init__(self, processor: SpanProcessor, ratio: float = 1.0) -> None:
        """processor: takes spans that have ended. ratio: of those without one around them that are made."""
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "syncer", "service.version": __version__}),
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        # Not the one of the whole program, which can be set once.
        self._tracer = self._provider.get_tracer("syncer", __version__)

    def telemetry(self, pipeline: str) -> PipelineTrace:
        """Return what traces a pipeline."""
        return PipelineTrace(self._tracer, pipeline)

    def close(self) -> None:
        """Send what has not been sent yet, as far as that is possible in a moment. Never raises."""
        # The SDK waits for as long as the exporter tries, whatever limit it is given.
        end = Thread(target=self._provider.shutdown, name="end of traces", daemon=True)
        end.start()
        end.join(_END_SECONDS)


class PipelineTrace:
    """Implements `Telemetry`. A step within another one is a part of its span, also on another thread."""

    def __init__(self, tracer: Tracer, pipeline: str) -> None:
        self._tracer = tracer
        self._pipeline = pipeline

    def step(self, step: Step, rows: int | None = None) -> AbstractContextManager[object]:
        return self._span(step, {} if rows is None else {"syncer.rows": rows})

    @contextmanager
    def _span(self, step: Step, attributes: Mapping[str, int]) -> Iterator[None]:
        with self._tracer.start_as_current_span(
            step.value,
            attributes={"syncer.pipeline": self._pipeline, **attributes},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                # Not with its message: what a server says may quote a row, or a password.
                span.set_status(StatusCode.ERROR)
                span.set_attribute("error.type", type(error).__name__)
                raise

    def delivered(self, outcomes: Collection[Outcome], report: Report) -> None:
        pass


def tracing(settings: TraceSettings, exporter: SpanExporter | None = None) -> Tracing:
    """Return what sends spans to the endpoint, on a thread of its own."""
    exporter = exporter or OTLPSpanExporter(endpoint=settings.endpoint)
    return Tracing(BatchSpanProcessor(exporter, max_queue_size=_WAITING_MAX), settings.ratio)
