"""What is measured of the one path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from syncer.core.outcome import Deferred, Outcome, Rejected
from syncer.core.report import Report
from syncer.engine.backfill import backfill
from syncer.engine.telemetry import Step
from tests.builders import a_world

_WITHIN: ContextVar[tuple[Step, ...]] = ContextVar("within", default=())


@dataclass
class Seen:
    """Implements `Telemetry`."""

    #: Each step with those around it.
    steps: list[tuple[Step, ...]] = field(default_factory=list)
    rows: Counter[Step] = field(default_factory=Counter)
    report: Report = field(default_factory=Report)
    outcomes: list[Outcome] = field(default_factory=list)

    def step(self, step: Step, rows: int | None = None) -> AbstractContextManager[object]:
        self.rows[step] += rows or 0
        return self._within(step)

    @contextmanager
    def _within(self, step: Step) -> Iterator[None]:
        path = (*_WITHIN.get(), step)
        self.steps.append(path)
        token = _WITHIN.set(path)
        try:
            yield
        finally:
            _WITHIN.reset(token)

    def delivered(self, outcomes: Collection[Outcome], report: Report) -> None:
        self.outcomes += outcomes
        self.report += report


def test_a_poll_is_measured_step_by_step() -> None:
    """Those on other threads too know the poll that they are part of."""
    seen = Seen()
    world = a_world(embedding=True, telemetry=seen, batch_rows=5)
    world.worker().run_once()
    seen.steps.clear()
    seen.rows.clear()
    for i in range(12):
        world.table.put((f"{i:02}",), text=f"text {i}")
    with world.following() as poll:
        poll()
    assert set(seen.steps) == {
        (Step.POLL,),
        *((Step.POLL, part) for part in (Step.OBSERVE, Step.READ, Step.HYDRATE, Step.EMBED, Step.WRITE, Step.COMMIT)),
    }
    assert seen.rows[Step.HYDRATE] == seen.rows[Step.EMBED] == seen.rows[Step.WRITE] == 12


def test_what_is_delivered_is_told_once() -> None:
    """As the reports of commands count it."""
    seen = Seen()
    world = a_world(telemetry=seen, batch_rows=5)
    for i in range(12):
        world.table.put((f"{i:02}",), n=i)
    world.answers = {("03",): Rejected("mapper_parsing_exception", "no number")}
    report = world.worker().run_once()
    assert seen.report == report
    assert seen.outcomes.count(Rejected("mapper_parsing_exception", "no number")) == report.rejected == 1


def test_a_row_that_is_given_up_is_told_as_rejected() -> None:
    """Put off again and again by an error inside the server, it becomes a dead letter."""
    seen = Seen()
    world = a_world(telemetry=seen)
    world.worker().run_once()
    world.table.put(("x",), n=1)
    world.answers = {("x",): Deferred("status 500", suspect=True)}
    with world.following() as poll:
        while not world.dead_letters():
            poll()
    assert seen.report.rejected == 1
    assert seen.outcomes.count(Deferred("status 500", suspect=True)) == seen.report.deferred > 1


def test_a_backfill_tells_what_it_compares() -> None:
    """Unchanged documents are looked up, and not written."""
    seen = Seen()
    world = a_world(telemetry=seen)
    for i in range(12):
        world.table.put((f"{i:02}",), n=i)
    world.worker().run_once()
    seen.steps.clear()
    seen.report = Report()
    progress = world.store.backfill(world.record.name)
    backfill(world.pipeline, world.record.name, progress, skip_unchanged=True)
    assert {steps[-1] for steps in seen.steps} >= {Step.HYDRATE, Step.COMPARE}
    assert seen.report.unchanged == 12
