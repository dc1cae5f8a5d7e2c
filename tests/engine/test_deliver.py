"""The one path: numbers, overlap, and what is done about the answers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest

from syncer.adapters.memory.sink import MemoryIndex, MemorySink
from syncer.adapters.memory.source import MemoryDocuments
from syncer.core.change import Hydration, Write
from syncer.core.error import SinkUnavailable
from syncer.core.index import IndexIdentity
from syncer.core.key import Key
from syncer.core.outcome import Applied, Outcome, Rejected, Stale
from syncer.engine.batch import Routings
from syncer.engine.deliver import Delivery, Draw
from syncer.engine.pacing import Pacing
from syncer.engine.telemetry import Measures
from syncer.engine.write import Writing
from syncer.ports import Documents, Sink
from tests.builders import World, a_world


@dataclass(frozen=True)
class Keys:
    keys: Sequence[Key]
    routings: Routings = field(default_factory=dict)


class Numbers:
    """Implements `Numbers`, and tells the order of things."""

    def __init__(self, story: list[str], last: int = 0) -> None:
        self.story = story
        self.last = last

    def draw(self) -> int:
        self.story.append("draw")
        self.last += 1
        return self.last

    def raise_above(self, version: int) -> None:
        self.story.append(f"raise {version}")
        self.last = max(self.last, version)


class ToldDocuments:
    """Documents that tell when they are read."""

    def __init__(self, documents: Documents, story: list[str]) -> None:
        self._documents = documents
        self._story = story

    def hydrate(self, keys: Sequence[Key]) -> Hydration:
        self._story.append("hydrate")
        return self._documents.hydrate(keys)


def a_delivery(
    world: World,
    sink: Sink,
    numbers: Numbers,
    *,
    draw: Draw = Draw.AFTER_HYDRATION,
    recheck_created: bool = False,
    flights: int = 4,
    skip_unchanged: bool = False,
) -> Delivery:
    pacing = Pacing()
    return Delivery(
        ToldDocuments(MemoryDocuments(world.table), numbers.story),
        Writing(
            None,
            sink,
            clock=world.clock,
            pacing=pacing,
            prove=lambda: None,
            telemetry=Measures(),
            skip_unchanged=skip_unchanged,
        ),
        numbers,
        draw=draw,
        executor=ThreadPoolExecutor(4),
        clock=world.clock,
        pacing=pacing,
        flights=flights,
        recheck_created=recheck_created,
        telemetry=Measures(),
        on_overtaken=lambda: numbers.story.append("overtaken"),
    )


def an_index() -> MemoryIndex:
    return MemoryIndex(IndexIdentity("u", {}))


@pytest.mark.parametrize(
    ("draw", "story"),
    [(Draw.AFTER_HYDRATION, ["hydrate", "draw"]), (Draw.BEFORE_HYDRATION, ["draw", "hydrate"])],
)
def test_the_poller_hydrates_and_then_draws_and_all_others_the_other_way_round(draw: Draw, story: list[str]) -> None:
    """† Otherwise an old row could carry the higher number."""
    world, numbers = a_world(), Numbers([])
    world.table.put(("1",), n=1)
    a_delivery(world, MemorySink(an_index()), numbers, draw=draw).deliver([("1",)])
    assert numbers.story == story


def test_a_key_is_never_in_two_writes_at_once() -> None:
    """† A batch waits for the one that has a key in common with it; others overlap."""
    world, index = a_world(), an_index()
    for name in "abc":
        world.table.put((name,), n=1)
    flying: list[Key] = []
    met: list[Key] = []
    together = threading.Barrier(2, timeout=10)

    class Slow(MemorySink):
        def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
            met.extend(write.key for write in writes if write.key in flying)
            flying.extend(write.key for write in writes)
            if writes[0].key in {("a",), ("b",)} and not together.broken:
                together.wait()
            outcomes = [index.apply(write) for write in writes]
            for write in writes:
                flying.remove(write.key)
            return outcomes

    batches = [Keys([("a",)]), Keys([("b",)]), Keys([("c",)]), Keys([("c",)]), Keys([("c",)])]
    delivered = list(a_delivery(world, Slow(index), Numbers([])).run(batches))
    assert met == []
    assert [batch for batch, _ in delivered] == batches


def test_batches_come_back_in_order_whichever_is_written_first() -> None:
    """A backfill's position may then follow them."""
    world, index = a_world(), an_index()
    keys = [(f"{i}",) for i in range(8)]
    for key in keys:
        world.table.put(key, n=1)
    second_written = threading.Event()

    class SecondFirst(MemorySink):
        def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
            if writes[0].key == ("0",):
                assert second_written.wait(10)
            if writes[0].key == ("1",):
                second_written.set()
            return [index.apply(write) for write in writes]

    delivery = a_delivery(world, SecondFirst(index), Numbers([]))
    order = [batch.keys[0] for batch, _ in delivery.run([Keys([key]) for key in keys])]
    assert order == keys


@pytest.mark.parametrize("last", [1, 1000])
def test_a_number_that_nobody_can_have_drawn_raises_the_sequence_and_delivers_again(last: int) -> None:
    """† The state went back, or a foreign writer is at work; an ordinary conflict is left alone.

    At the least, it is the very number that is drawn next.
    """
    world, index = a_world(), an_index()
    world.table.put(("1",), n="fresh")
    foreign = a_delivery(world, MemorySink(index), Numbers([], last=last))
    foreign.deliver([("1",)])
    world.table.put(("1",), n="fresher")
    numbers = Numbers([])
    delivered = a_delivery(world, MemorySink(index), numbers).deliver([("1",)])
    assert "overtaken" in numbers.story
    assert delivered.outcomes == {("1",): Applied()}
    assert f"raise {last + 1}" in numbers.story
    assert index.documents() == {("1",): {"n": "fresher"}}


def test_a_conflict_with_a_number_that_was_drawn_is_settled() -> None:
    """Somebody else delivered something at least as fresh."""
    world, index, numbers = a_world(), an_index(), Numbers([], last=10)
    world.table.put(("1",), n=1)

    class Late(MemorySink):
        def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
            numbers.last += 5
            MemorySink(index).write([replace(write, version=14) for write in writes])
            return super().write(writes)

    delivered = a_delivery(world, Late(index), numbers).deliver([("1",)])
    assert delivered.outcomes == {("1",): Stale(14)}
    assert "overtaken" not in numbers.story


def test_a_write_that_revives_a_deleted_row_is_taken_back() -> None:
    """† Elasticsearch forgets the versions of deleted documents when a shard restarts."""
    world, index, numbers = a_world(), an_index(), Numbers([])
    world.table.put(("1",), n=1)

    class DeletedMeanwhile(MemorySink):
        def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
            if ("1",) in world.table.documents():
                world.table.delete(("1",))
                poller = a_delivery(world, MemorySink(index), numbers)
                poller.deliver([("1",)])
                index.restart()
            return super().write(writes)

    a_delivery(world, DeletedMeanwhile(index), numbers, draw=Draw.BEFORE_HYDRATION, recheck_created=True).deliver(
        [("1",)]
    )
    assert index.documents() == {}


def test_what_a_failed_batch_left_is_ended_before_the_error_is_raised() -> None:
    """No write is under way any more when the caller starts again."""
    world, index = a_world(), an_index()
    keys = [(f"{i}",) for i in range(4)]
    for key in keys:
        world.table.put(key, n=1)
    ended = []

    class Failing(MemorySink):
        def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
            if writes[0].key == ("0",):
                raise SinkUnavailable("away")
            outcomes = [index.apply(write) for write in writes]
            ended.append(writes[0].key)
            return outcomes

    with pytest.raises(SinkUnavailable):
        list(a_delivery(world, Failing(index), Numbers([])).run([Keys([key]) for key in keys]))
    assert set(ended) <= set(keys[1:])
    assert len(index.documents()) == len(ended)


def test_a_key_longer_than_an_id_may_be_is_rejected_alone() -> None:
    """Elasticsearch refuses ids above 512 bytes; the others of the batch go through."""
    world, index = a_world(), an_index()
    long = ("é" * 257,)
    for key in [long, ("1",)]:
        world.table.put(key, n=1)
    outcomes = a_delivery(world, MemorySink(index), Numbers([])).deliver([long, ("1",)]).outcomes
    assert isinstance(outcomes[long], Rejected)
    assert outcomes["1",] == Applied(created=True)
