"""How a pipeline adapts to what Elasticsearch takes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pytest

from syncer.core.change import Write
from syncer.core.error import SinkUnavailable
from syncer.core.outcome import Deferred
from syncer.core.pace import Pace
from syncer.engine.pacing import Pacing
from tests.builders import a_world


def test_of_several_batches_sent_at_one_pace_only_the_first_that_meets_pressure_halves_it() -> None:
    """The others say nothing new."""
    pacing = Pacing()
    turn = pacing.turn
    for _ in range(4):
        pacing.answered(turn, pressed=True)
    assert pacing.pace == Pace(0.5)


def test_a_quiet_answer_to_a_batch_that_was_sent_before_does_not_speed_up() -> None:
    """It was quiet before the pressure began."""
    pacing = Pacing()
    turn = pacing.turn
    pacing.answered(turn, pressed=True)
    pacing.answered(turn, pressed=False)
    assert pacing.pace == Pace(0.5)
    pacing.answered(pacing.turn, pressed=False)
    assert pacing.pace.share > 0.5


def test_batches_shrink_under_pressure_and_grow_back_when_it_is_over() -> None:
    """Documents that are put off make the next batches smaller."""
    world = a_world(batch_rows=16)
    sizes: list[int] = []
    with world.following() as poll:
        poll()
        busy = [(f"{i:03}",) for i in range(100)]
        world.answers = dict.fromkeys(busy, Deferred("es_rejected_execution_exception"))
        for key in busy:
            world.table.put(key, n=1)
        for _ in range(4):
            poll()
        assert world.pipeline.pacing.pace.of(16) == 1

        world.answers = {}
        numbers: set[int] = set()
        world.on_write = lambda write: numbers.add(write.version)
        polled = poll()
        assert polled.report.applied == 100
        assert len(numbers) > 100 / 16 * 1.5, "smaller batches at first"
        sizes.append(world.pipeline.pacing.pace.of(16))
        poll()
    assert sizes == [16]
    assert world.equal()


def test_a_call_that_fails_slows_down_what_the_next_session_sends() -> None:
    """A timeout is pressure too; the pace outlives the session."""
    world = a_world(batch_rows=16)
    world.worker().run_once()
    world.table.put(("1",), n=1)
    world.outage = SinkUnavailable("timed out")
    with pytest.raises(SinkUnavailable):
        world.worker().run_once()
    assert world.pipeline.pacing.pace == Pace(0.5)


def test_a_backfill_reads_smaller_batches_under_pressure() -> None:
    """It has no next poll, and slows down within its range."""
    world = a_world(batch_rows=16)
    put_off = count()

    def answer(write: Write) -> None:
        world.answers = {} if next(put_off) > 20 else {write.key: Deferred("busy")}

    world.on_write = answer
    for i in range(200):
        world.table.put((f"{i:03}",), n=i)
    sizes: dict[int, int] = {}

    def sized(writes: Sequence[Write]) -> None:
        for write in writes:
            sizes[write.version] = sizes.get(write.version, 0) + 1

    world.worker().run_once()
    sized(world.written)
    assert world.equal()
    assert min(sizes.values()) < 16
