"""Two processes at one row, interleaved at the worst moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from syncer.adapters.memory.sink import MemorySink
from syncer.adapters.memory.source import MemoryKeyFeed
from syncer.core.change import Document, Draft, Removal, Write
from syncer.core.held import Held
from syncer.core.key import Key
from syncer.core.outcome import Deferred, Outcome, Rejected
from syncer.engine.backfill import backfill
from syncer.engine.pipeline import Pipeline
from syncer.engine.resync import resync
from syncer.ports import Sink
from tests.builders import World, a_world
from tests.engine.intercepted import Call
from tests.engine.process import Killed, Process
from tests.engine.visible_documents import of_visible_rows

KEY = ("1",)

#: Gives a pipeline's way around the poller.
Beside = Callable[[World, Pipeline], object]


def _resync(world: World, pipeline: Pipeline) -> None:
    resync(pipeline, pipeline.reader().documents, world.record.name, MemoryKeyFeed(world.table, [KEY]))


def _backfill(world: World, pipeline: Pipeline) -> None:
    progress = pipeline.store.backfill(world.record.name)
    try:
        backfill(pipeline, world.record.name, progress)
    finally:
        progress.release()


def a_process(world: World, **acts: Callable[[Process], None]) -> Process:
    """Return a process in which each act happens once, right after the first call of the method of its name."""

    def around(process: Process, call: Call) -> Any:
        answer = call()
        if act := acts.pop(call.name.partition(".")[2], None):
            act(process)
        return answer

    return Process(world, around)


def removing(world: World) -> Callable[[Process], None]:
    """Return an act: the row is deleted, the poller hears of it, and the shard forgets."""

    def remove(_: Process) -> None:
        world.table.delete(KEY)
        world.worker().run_once()
        world.index.restart()

    return remove


def a_world_with_triggers() -> World:
    """A row that is in the index, whose table has triggers."""
    world = a_world(batch_rows=1)
    world.table.triggers = True
    world.table.put(KEY, n=1)
    world.worker().run_once()
    world.clock.advance(100)
    return world


@pytest.mark.parametrize("beside", [_resync, _backfill])
def test_a_row_that_changes_after_it_was_hydrated_by_another_is_not_overwritten(beside: Beside) -> None:
    """Who is not the poller draws before hydrating: the poller's number for the later row is the higher one."""
    world = a_world_with_triggers()

    def change(_: Process) -> None:
        world.table.put(KEY, n=2)
        world.worker().run_once()

    beside(world, a_process(world, hydrate=change).pipeline)
    assert world.equal()


@pytest.mark.parametrize("beside", [_resync, _backfill])
def test_a_removal_that_a_shard_has_forgotten_is_made_again(beside: Beside) -> None:
    """† A write that was under way revives the document: what was created is hydrated once more."""
    world = a_world_with_triggers()

    beside(world, a_process(world, hydrate=removing(world)).pipeline)
    assert world.equal()


def test_a_backfill_that_was_killed_looks_again_at_what_it_had_under_way() -> None:
    """† Such a row may be gone since, so that no range meets it."""
    world = a_world_with_triggers()
    with suppress(Killed):
        _backfill(world, a_process(world, hydrate=removing(world), write=Process.kill).pipeline)
    assert KEY in world.index.documents()
    _backfill(world, world.pipeline)
    assert world.equal()


@pytest.mark.parametrize("seed", range(10))
def test_one_key_is_never_in_two_bulks_under_way(seed: int) -> None:
    """The second may land first; a shard that restarts in between has forgotten it when the first one comes."""
    world = a_world_with_triggers()
    world.table.put(KEY, n=2)
    world.table.put(("2",), n=1)

    def around(process: Process, call: Call) -> Any:
        if call.name == "feed.read" and call.method.__self__.name != world.table.name and world.table.row(KEY):
            world.table.delete(KEY)
        answer = call()
        if call.name == "sink.write":
            world.index.restart()
        return answer

    process = Process(world, around, Random(seed))
    process.worker.run_once()
    assert world.equal()


def a_world_that_refuses() -> World:
    """As above, with an index that refuses rows that are bad."""
    world = a_world_with_triggers()

    def answer(write: Write) -> Outcome | None:
        return Rejected("bad", "row") if isinstance(write, Document) and '"bad"' in write.draft.body else None

    world.pipeline = replace(world.pipeline, sink=lambda index: MemorySink(world.indices.indices[index], answer))
    return world


def test_a_dead_letter_is_not_closed_by_a_good_write_that_was_drawn_before() -> None:
    """† What a resync read is older than what was refused since."""
    world = a_world_that_refuses()

    def spoil(_: Process) -> None:
        world.table.put(KEY, n=2, bad=True)
        world.worker().run_once()

    _resync(world, a_process(world, hydrate=spoil).pipeline)
    assert [letter.key for letter in world.dead_letters()] == [KEY]


def test_a_row_that_is_mended_while_a_resync_has_it_leaves_no_dead_letter() -> None:
    """The refusal is stored after the good write that it is older than."""
    world = a_world_that_refuses()
    world.table.put(KEY, n=2, bad=True)
    world.worker().run_once()

    def mend(_: Process) -> None:
        world.table.put(KEY, n=3)
        world.worker().run_once()

    _resync(world, a_process(world, hydrate=mend).pipeline)
    assert world.equal()
    assert world.dead_letters() == []


def a_world_with_routing(tenant: str) -> World:
    """A row that is in the index, in the shard of its tenant."""
    world = a_world(shards=3)
    world.table.triggers = True
    world.table.routing = "tenant"
    world.pipeline = of_visible_rows(world.pipeline)
    world.table.put(KEY, n=1, tenant=tenant)
    world.worker().run_once()
    world.clock.advance(100)
    return world


@pytest.mark.parametrize("beside", [_resync, _backfill])
def test_a_removal_that_a_shard_has_forgotten_is_made_again_where_the_document_is(beside: Beside) -> None:
    """By the routing that it was revived with; the row, which says nothing any more, is gone."""
    world = a_world_with_routing("a")
    beside(world, a_process(world, hydrate=removing(world)).pipeline)
    assert world.index.hits() == []


@pytest.mark.parametrize("beside", [_resync, _backfill])
def test_a_document_that_was_revived_where_its_row_no_longer_belongs_is_removed(beside: Beside) -> None:
    """The row has moved to another shard, where it has its document; the first shard has forgotten the removal."""
    world = a_world_with_routing("b")

    def move(_: Process) -> None:
        world.table.put(KEY, n=2, tenant="x")
        world.worker().run_once()
        world.index.restart()

    beside(world, a_process(world, hydrate=move).pipeline)
    assert [hit.draft.routing for hit in world.index.hits()] == ["x"]


def test_a_row_that_moved_and_cannot_be_read_leaves_no_second_document() -> None:
    """The tombstone that names its former place is settled by then, and nobody reads it again."""
    world = a_world_with_routing("b")
    with world.following() as poll:
        world.table.put(KEY, n=2, tenant="x", unreadable=True)
        for _ in range(3):
            poll()
            world.clock.advance(100)
        world.table.put(KEY, n=3, tenant="x")
        poll()
    assert [hit.draft.routing for hit in world.index.hits()] == ["x"]


def test_of_bulks_under_way_after_a_fail_over_each_is_numbered_again() -> None:
    """† Their numbers were drawn before the sequence was raised, whoever has found out first."""
    for seed in range(10):
        world = a_world(batch_rows=1)
        for n in (1, 2):
            for key in "123":
                world.table.put((key,), n=n)
            world.worker().run_once()
            world.clock.advance(100)
            world.store.raise_above(50)
        for key in "123":
            world.table.put((key,), n=3)
            world.worker().run_once()
        world.clock.advance(100)
        world.store.fail_over(60)
        for key in "123":
            world.table.put((key,), n=4)
        Process(world, lambda _process, call: call(), Random(seed)).worker.run_once()
        assert world.equal()


def test_a_clock_that_steps_back_during_the_first_load_loses_nothing() -> None:
    """† What is written after the step lies below the first checkpoint, and the load may have passed it."""
    world = a_world()

    def step_back(_: Process) -> None:
        world.clock.advance(100)
        world.clock.step(-160)
        world.table.put(KEY, n=1)
        world.clock.advance(200)

    a_process(world, publish=step_back).worker.run_once()
    assert world.equal()


def test_a_key_that_was_put_off_is_sent_as_it_is_by_then() -> None:
    """Hydrated and numbered again; never as it was."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.answers[KEY] = Deferred("busy")
        world.table.put(KEY, n=1)
        assert poll().deferred == 1
        world.answers.clear()
        world.table.put(KEY, n=2)
        poll()
        assert world.equal()


class Answering:
    """A sink that answers to removals from one place as it is told, and applies the rest."""

    def __init__(self, sink: Sink, routing: str, outcomes: list[Outcome]) -> None:
        self._sink = sink
        self._routing = routing
        self._outcomes = outcomes

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return [self._answer(write) or self._sink.write([write])[0] for write in writes]

    def held(self, drafts: Sequence[Draft]) -> Mapping[Key, Held]:
        return self._sink.held(drafts)

    def _answer(self, write: Write) -> Outcome | None:
        there = isinstance(write, Removal) and write.routing == self._routing
        return self._outcomes.pop() if there and self._outcomes else None


@pytest.mark.parametrize("unreadable", [True, False])
def test_a_removal_from_where_a_row_was_is_put_off_for_as_long_as_it_takes(unreadable: bool) -> None:
    """It is not forgotten with its tombstone, neither behind the row's own refusal nor as a dead letter."""
    world = a_world_with_routing("b")
    sink = world.pipeline.sink
    values: dict[str, Any] = {"unreadable": True} if unreadable else {}
    failing: list[Outcome] = [Deferred("failed", suspect=True)] * 20
    world.pipeline = replace(world.pipeline, sink=lambda index: Answering(sink(index), "b", failing))
    with world.following() as poll:
        world.table.put(KEY, n=2, tenant="x", **values)
        for turn in range(30):
            world.table.put(("beside",), n=turn, tenant="y")
            poll()
        world.table.put(KEY, n=3, tenant="x")
        poll()
    assert [hit.draft.routing for hit in world.index.hits() if hit.key == KEY] == ["x"]
