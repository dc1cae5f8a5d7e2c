"""What is done when the process is asked to stop in the middle of something."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from syncer.adapters.clock import SystemClock
from syncer.adapters.memory.sink import MemorySink
from syncer.core.change import Write
from syncer.core.key import Key
from syncer.core.outcome import Outcome
from syncer.engine import deliver
from syncer.engine.backfill import backfill
from syncer.engine.worker import Worker
from tests.builders import World, a_world


class Hanging:
    """A sink that answers for some keys never, until it is let go."""

    def __init__(self, world: World, silent: set[Key]) -> None:
        self._world = world
        self._silent = silent
        self.met = threading.Event()
        self.go = threading.Event()

    def __call__(self, index: str) -> Hanging:
        self._inner = MemorySink(self._world.indices.indices[index])
        return self

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        if any(write.key in self._silent for write in writes):
            self.met.set()
            assert self.go.wait(60)
        return self._inner.write(writes)


@contextmanager
def silent_about(world: World, *keys: str) -> Iterator[tuple[World, Hanging, SystemClock]]:
    """Lend the world with a real clock and a sink that is silent about some keys."""
    sink, clock = Hanging(world, {(key,) for key in keys}), SystemClock()
    replacements: dict[str, Any] = {"sink": sink, "clock": clock}
    try:
        yield replace(world, pipeline=replace(world.pipeline, **replacements)), sink, clock
    finally:
        sink.go.set()


def stopped_when(event: threading.Event, clock: SystemClock) -> threading.Thread:
    def stop() -> None:
        assert event.wait(30)
        clock.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    return thread


def test_a_poll_settles_what_was_answered_and_puts_off_the_rest() -> None:
    """The checkpoint stays below the rows that had no answer, and passes none of them."""
    world = a_world(batch_rows=1)
    world.worker().run_once()
    for i in range(3):
        world.table.put((f"{i}",), n=i)
        world.clock.advance(1)
    with silent_about(world, "1") as (hung, sink, clock):
        stopper = stopped_when(sink.met, clock)
        started = clock.monotonic()
        Worker(hung.pipeline, hung.events).run()
        assert clock.monotonic() - started < deliver.STOP_SECONDS + 3
        stopper.join()
        assert hung.index.documents().keys() == {("0",), ("2",)}
        [change] = [change for change in world.table.changes() if change.key == ("1",)]
        assert world.checkpoint().position.watermark <= change.watermark
    world.worker().run_once()
    assert world.equal()


def test_a_load_keeps_what_was_answered_and_goes_on_the_next_time() -> None:
    """What was settled is not loaded again."""
    world = a_world(batch_rows=10, range_rows=20)
    for i in range(60):
        world.table.put((f"{i:02}",), n=i)
    with silent_about(world, "35") as (hung, sink, clock):
        stopper = stopped_when(sink.met, clock)
        report = Worker(hung.pipeline, hung.events).run_once()
        stopper.join()
        assert 20 <= report.applied < 60
    world.events.loads.clear()
    world.worker().run_once()
    assert world.events.loads[0][0] >= 20
    assert world.equal()


def test_a_backfill_that_stops_while_rows_are_put_off_is_incomplete_and_no_error() -> None:
    """It knows the keys that were under way."""
    world = a_world(batch_rows=10)
    world.worker().run_once()
    for i in range(30):
        world.table.put((f"{i:02}",), n=i)
    progress = world.store.backfill(world.record.name)
    with silent_about(world, "15") as (hung, sink, clock):
        stopper = stopped_when(sink.met, clock)
        done = backfill(hung.pipeline, hung.record.name, progress)
        stopper.join()
        assert not done.complete
        assert ("15",) in {key for part in progress.ranges() for key in part.in_flight}
    progress.release()
