"""What polling does not see, as docs/guarantees.md owns: a comparison finds it, and mends it."""

from __future__ import annotations

from typing import Any

import pytest

from syncer.core.change import Document, Write
from syncer.core.error import SinkUnavailable
from syncer.core.outcome import Stale
from syncer.engine.backfill import backfill
from syncer.engine.pipeline import Pipeline
from tests.builders import World, a_world
from tests.engine.comparing import counts, verified
from tests.engine.intercepted import Call
from tests.engine.process import Process

KEY = ("1",)


def mended(world: World, *, found: dict[str, int]) -> bool:
    """Compare the index with its table; then repair it, and tell whether they are equal."""
    assert not world.equal()
    assert counts(verified(world)) == found
    return verified(world, repair=True).equal and world.equal()


def test_a_row_of_a_clock_that_was_back_and_right_again_between_two_polls() -> None:
    """Nobody saw the clock step back; the row's stamp lies below the checkpoint."""
    world = a_world()
    with world.following() as poll:
        world.clock.advance(100)
        poll()
        world.clock.step(-60)
        world.table.put(KEY, n=1)
        world.clock.step(60)
        world.clock.advance(10)
        assert poll().report.read == 0
    assert mended(world, found={"missing": 1})


def test_a_change_without_watermark_while_a_write_of_its_row_is_under_way() -> None:
    """The backfill takes the document for what the row makes, and then the older write lands. The next one sees it."""
    world = a_world()
    world.table.put(KEY, n=1)
    world.worker().run_once()
    world.clock.advance(100)
    world.table.put(KEY, n=2)
    stamped = world.table.changes()[0].watermark
    world.clock.advance(100)

    def around(_: Process, call: Call) -> Any:
        answer = call()
        if call.name == "documents.hydrate" and world.table.documents()[KEY]["n"] == 2:
            world.table.put(KEY, stamped, n=1)
            assert _backfill(world.pipeline, world.record.name) == 1
        return answer

    Process(world, around).worker.run_once()
    assert world.index.documents()[KEY]["n"] == 2
    assert counts(verified(world)) == {"stale": 1}
    assert _backfill(world.pipeline, world.record.name) == 0
    assert world.equal()


def _backfill(pipeline: Pipeline, index: str) -> int:
    """Run one, and return how many documents it took for unchanged."""
    progress = pipeline.store.backfill(index)
    try:
        return backfill(pipeline, index, progress, skip_unchanged=True).report.unchanged
    finally:
        progress.release()


def test_a_request_that_is_carried_out_when_a_shard_has_forgotten_a_removal() -> None:
    """Until it forgets, the old number is refused; after that the deleted row has a document again."""
    world = a_world()
    world.table.triggers = True
    world.table.put(KEY, n=1)
    given_up: list[Write] = []

    def give_up(write: Write) -> None:
        if not given_up and isinstance(write, Document):
            given_up.append(write)
            raise SinkUnavailable("no answer")

    world.on_write = give_up
    with pytest.raises(SinkUnavailable):
        world.worker().run_once()
    world.worker().run_once()
    world.clock.advance(100)
    world.table.delete(KEY)
    for _ in range(2):
        world.worker().run_once()
        world.clock.advance(100)  # the next one reads above the tombstone
    assert world.equal()
    [write] = given_up
    assert isinstance(world.index.apply(write), Stale)
    world.index.restart()
    world.index.apply(write)
    world.worker().run_once()
    assert mended(world, found={"extra": 1})
