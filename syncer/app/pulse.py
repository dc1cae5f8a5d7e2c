"""Whether the pipelines of a process still move, for who would restart it where they do not."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager

from syncer.core.outcome import Outcome
from syncer.core.report import Report
from syncer.engine.telemetry import Step
from syncer.ports import Clock


class Pulse:
    """Notes when work on each pipeline last began or ended a step; for several threads.

    A pipeline is stuck where a step of it goes on and none has begun or ended for long. Nothing else tells: one that
    rests between polls, stands by, is paused, or waits for a server that is away is in no step; a restart would not
    help it. Threads of one pipeline have one pulse: a poll is in no hurry while its writers get on.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pipelines: dict[str, PipelinePulse] = {}

    def telemetry(self, pipeline: str) -> PipelinePulse:
        """Return what notes the steps of a pipeline: always the same."""
        return self._pipelines.setdefault(pipeline, PipelinePulse(self._clock))

    def stuck(self, seconds: float) -> list[str]:
        """Return the pipelines that have not moved for so long, though they are at work."""
        now = self._clock.monotonic()
        return sorted(name for name, each in tuple(self._pipelines.items()) if each.busy_since(now - seconds))


class PipelinePulse:
    """Implements `Telemetry`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open = 0
        self._embedding = 0
        self._moved_at = clock.monotonic()

    def busy_since(self, moment: float) -> bool:
        """Tell whether a step goes on and nothing has moved since this moment, on the monotonic scale."""
        with self._lock:
            # A batch of long texts may take a slow processor longer than anybody waits, and a restart begins it anew.
            return self._open > 0 and not self._embedding and self._moved_at <= moment

    def step(self, step: Step, rows: int | None = None) -> AbstractContextManager[object]:  # noqa: ARG002
        return self._noted(embeds=step is Step.EMBED)

    def delivered(self, outcomes: Collection[Outcome], report: Report) -> None:  # noqa: ARG002
        self._move(0)

    @contextmanager
    def _noted(self, *, embeds: bool) -> Iterator[None]:
        self._move(1, int(embeds))
        try:
            yield
        finally:
            self._move(-1, -int(embeds))

    def _move(self, opened: int, embedding: int = 0) -> None:
        with self._lock:
            self._open += opened
            self._embedding += embedding
            self._moved_at = self._clock.monotonic()
