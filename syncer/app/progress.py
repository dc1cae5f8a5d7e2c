"""How far a load is: a bar on a terminal, now and then a log line elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from syncer.ports import Clock

LINE_SECONDS = 10.0


class LoadProgress(Protocol):
    """Shows one pipeline's load; called from any thread."""

    def __call__(self, settled: int, total: int) -> None:
        """So many rows of so many are settled."""

    def done(self) -> None:
        """The load is over."""


@contextmanager
def progress(
    pipelines: Sequence[str], clock: Clock, console: Console, *, event: str = "loading"
) -> Iterator[Mapping[str, LoadProgress]]:
    """Lend a display for each pipeline. Nothing is drawn before the first row, nor after the last."""
    if not console.is_terminal:
        yield {name: LoadLines(name, clock, event) for name in pipelines}
        return
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RowsPerSecond(),
        TimeRemainingColumn(),
        console=console,
        get_time=clock.monotonic,
    )
    try:
        yield {name: LoadBar(name, bars) for name in pipelines}
    finally:
        bars.stop()


class LoadBar:
    """One pipeline's line among the bars."""

    def __init__(self, pipeline: str, bars: Progress) -> None:
        self._bars = bars
        self._pipeline = pipeline
        self._lock = Lock()
        self._task: TaskID | None = None

    def __call__(self, settled: int, total: int) -> None:
        with self._lock:
            if self._task is None:
                self._bars.start()
                # What an earlier process settled says nothing about this one's speed.
                self._task = self._bars.add_task(self._pipeline, total=total, completed=settled, before=settled)
            self._bars.update(self._task, completed=settled, total=total)

    def done(self) -> None:
        """Leave the bar on the screen as it is, when it is the last one that moves."""
        with self._lock:
            if self._task is None:
                return
            self._bars.stop_task(self._task)
            self._bars.update(self._task, moving=False)
        if not any(task.fields.get("moving", True) for task in self._bars.tasks):
            self._bars.stop()


class RowsPerSecond(ProgressColumn):
    """The speed since this process began."""

    def render(self, task: Task) -> Text:
        rows, seconds = task.completed - task.fields["before"], task.finished_time or task.elapsed
        return Text(f"{rows / seconds:,.0f} rows/s" if seconds else "")


class LoadLines:
    """Logs at the first call, then at most every LINE_SECONDS, and at the end."""

    def __init__(self, pipeline: str, clock: Clock, event: str = "loading") -> None:
        self._log = structlog.get_logger(pipeline=pipeline)
        self._event = event
        self._clock = clock
        self._lock = Lock()
        self._begun: tuple[float, int] | None = None
        self._due = 0.0
        self._ended = False

    def __call__(self, settled: int, total: int) -> None:
        with self._lock:
            now = self._clock.monotonic()
            if self._begun is None:
                self._begun = (now, settled)
            elif now < self._due and (settled < total or self._ended):
                # With rows that are written meanwhile, each batch is the last one.
                return
            self._ended = settled >= total
            self._due = now + LINE_SECONDS
            seconds, rows = now - self._begun[0], settled - self._begun[1]
            speed = rows / seconds if seconds else 0.0
            self._log.info(
                self._event,
                rows=settled,
                total=total,
                rows_per_second=round(speed),
                remaining_seconds=round((total - settled) / speed) if speed else None,
            )

    def done(self) -> None:
        """Forget this load: another one may follow."""
        with self._lock:
            self._begun, self._due, self._ended = None, 0.0, False
