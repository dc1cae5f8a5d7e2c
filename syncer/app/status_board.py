"""How far the pipelines are, looked at on a thread of its own: neither a search nor a page waits for Postgres."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock, Thread

import structlog

from syncer.app.pipeline_report import PipelineReport
from syncer.app.redaction import Redact, redactor
from syncer.core.error import SyncerError
from syncer.ports import Clock

#: How often it is looked while nobody asks: for the charts.
EVERY_SECONDS = 15.0
#: An hour of them.
_SAMPLES = 240
#: What is not older is shown again.
_FRESH_SECONDS = 2.0
#: How long a page waits for a new look, before it shows an old one.
_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What a chart has of one moment; None: not known."""

    #: On the monotonic scale.
    at: float
    lag_seconds: float | None
    documents: int | None
    #: In all, since the index's shards were started.
    written: int | None


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment."""

    #: On the monotonic scale, and as people know it.
    at: float
    time: datetime
    reports: Mapping[str, PipelineReport]


@dataclass(frozen=True, slots=True)
class Board:
    """What is to be shown now."""

    #: The last one that succeeded; None: there is none yet.
    look: Look | None
    #: How old it is.
    age_seconds: float
    #: Why there is none newer.
    trouble: str | None
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)


class StatusBoard:
    """Looks now and then, and when it is asked. One event loop asks, of any number of requests."""

    def __init__(
        self,
        look: Callable[[], Mapping[str, PipelineReport]],
        clock: Clock,
        redact: Redact | None = None,
        *,
        fresh_seconds: float = _FRESH_SECONDS,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        """look: is called on a thread of its own; may raise any SyncerError. redact: what such an error says."""
        self._redact = redact or redactor(())
        self._fresh_seconds = fresh_seconds
        self._patience_seconds = patience_seconds
        self._look = look
        self._clock = clock
        self._alarm = clock.alarm()
        self._lock = Lock()
        self._last: Look | None = None
        self._trouble: str | None = None
        self._samples: dict[str, deque[Sample]] = {}
        self._ended = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look while the block runs. Its end does not wait for a server that does not answer."""
        # A daemon: joined, it would hold up the end of the process.
        Thread(target=self._run, name="status", daemon=True).start()
        try:
            yield
        finally:
            self._ended = True
            self._alarm.ring(self._clock.monotonic())

    async def board(self, fresh_seconds: float | None = None) -> Board:
        """Return what is known, as new as can be had in a moment; what is not older than so many seconds will do."""
        if self._age() > (self._fresh_seconds if fresh_seconds is None else fresh_seconds):
            looked = asyncio.Event()
            with self._lock:
                self._waiting.append((asyncio.get_running_loop(), looked))
            self._alarm.ring(self._clock.monotonic())
            try:
                async with asyncio.timeout(self._patience_seconds):
                    await looked.wait()
            except TimeoutError:
                with self._lock:
                    self._waiting = [each for each in self._waiting if each[1] is not looked]
                    self._trouble = self._trouble or "the servers take long to answer"
        return self.last

    @property
    def last(self) -> Board:
        """What is known, however old it is."""
        with self._lock:
            samples = {name: tuple(kept) for name, kept in self._samples.items()}
            return Board(self._last, self._age(), self._trouble, samples)

    def _age(self) -> float:
        return self._clock.monotonic() - self._last.at if self._last else float("inf")

    def _run(self) -> None:
        while not self._ended and not self._clock.stopping():
            with self._lock:
                waiting, self._waiting = self._waiting, []
            trouble: str | None = None
            reports: Mapping[str, PipelineReport] = {}
            try:
                reports = self._look()
            except SyncerError as error:
                trouble = self._redact(error.message)
            except Exception as error:  # a bug, or the end of the process: searches go on
                if not self._ended:
                    structlog.get_logger().error("status cannot be looked at", exc_info=error)
                trouble = "unexpected error; the log has it"
            with self._lock:
                self._settle(reports, trouble)
            for loop, looked in waiting:
                # The loop may be gone: the process ends.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(looked.set)
            self._alarm.wait(0 if self._waiting else EVERY_SECONDS)

    def _settle(self, reports: Mapping[str, PipelineReport], trouble: str | None) -> None:
        now = self._clock.monotonic()
        self._trouble = trouble
        if trouble is None:
            self._last = Look(now, self._clock.now(), reports)
        for name in reports or list(self._samples):
            kept = self._samples.setdefault(name, deque(maxlen=_SAMPLES))
            # Pages that are looked at ask more often than a chart has room for.
            if not kept or now - kept[-1].at >= EVERY_SECONDS * 0.9:
                kept.append(_sample(now, reports.get(name)))


def _sample(at: float, report: PipelineReport | None) -> Sample:
    if report is None:
        return Sample(at, None, None, None)
    return Sample(at, report.status.lag_seconds, report.status.documents, report.written)
