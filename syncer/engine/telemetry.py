"""What is measured of the one path, while it goes on: for metrics and traces."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from enum import StrEnum
from typing import Protocol

from syncer.core.outcome import Outcome
from syncer.core.report import Report


class Step(StrEnum):
    """A piece of work whose time is worth knowing."""

    #: All of a poll; the others are parts of it, or of a load, a backfill or a resync.
    POLL = "poll"
    #: Ask the source for its clock and its open transactions.
    OBSERVE = "observe"
    #: Read a page of a feed.
    READ = "read"
    HYDRATE = "hydrate"
    TRANSFORM = "transform"
    #: Ask Elasticsearch which documents are already as they would be written.
    COMPARE = "compare"
    EMBED = "embed"
    WRITE = "write"
    #: Make outcomes and checkpoints of a poll durable.
    COMMIT = "commit"


class Telemetry(Protocol):
    """Called from the threads that do the work; must return quickly and never raise."""

    def step(self, step: Step, rows: int | None = None) -> AbstractContextManager[object]:
        """Return what goes around a piece of work, on one thread; rows: how many it is about, where that is known."""

    def delivered(self, outcomes: Collection[Outcome], report: Report) -> None:
        """A batch has its outcomes."""


class Measures:
    """Implements `Telemetry` for any number of those who want to know, also for nobody."""

    def __init__(self, *each: Telemetry) -> None:
        self._each = each

    @contextmanager
    def step(self, step: Step, rows: int | None = None) -> Iterator[None]:
        with ExitStack() as stack:
            for each in self._each:
                stack.enter_context(each.step(step, rows))
            yield

    def delivered(self, outcomes: Collection[Outcome], report: Report) -> None:
        for each in self._each:
            each.delivered(outcomes, report)
