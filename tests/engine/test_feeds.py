"""Two feeds that name keys of one table: they share batches, and what each has settled is its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from syncer.adapters.memory.source import MemoryChangeFeed, MemoryGlance
from syncer.adapters.memory.table import MemoryTable
from syncer.core.change import Page
from syncer.core.error import SourceUnavailable
from syncer.core.outcome import Deferred
from syncer.core.position import START, Position
from syncer.engine.pipeline import Reader
from syncer.ports import ChangeFeed
from tests.builders import World, a_world

OTHER = "public.other"


@dataclass
class Two:
    """A world whose table is followed by a second feed too, which may fail."""

    world: World
    other: MemoryTable
    fails: bool = False

    def checkpoint(self, feed: str) -> Position:
        return self.world.store.overview(self.world.record.name).checkpoints[feed].position


def reading(reader: Reader, feeds: Sequence[ChangeFeed]) -> Reader:
    return replace(reader, feeds=feeds, glance=MemoryGlance(feeds))


def two_feeds(batch_rows: int = 10, pages: int = 20) -> Two:
    world = a_world(batch_rows=batch_rows, pages=pages)
    two = Two(world, MemoryTable(world.clock, OTHER))
    reader = world.pipeline.reader

    class OtherFeed(MemoryChangeFeed):
        def read(self, start: Position, until: datetime, rows: int) -> Page:
            if two.fails:
                raise SourceUnavailable("away")
            return super().read(start, until, rows)

    def made() -> Reader:
        first = reader()
        return reading(first, [*first.feeds, OtherFeed(two.other)])

    world.pipeline = replace(world.pipeline, reader=made)
    return two


def keys_written(world: World) -> Sequence[str]:
    return [write.key[0] for write in world.written]


def test_a_feed_that_the_configuration_leaves_out_is_forgotten() -> None:
    """When it comes again it is new: followed from then on, and the index compared."""
    two = two_feeds()
    both = two.world.pipeline
    two.world.table.put(("a",))
    two.world.worker().run_once()
    alone = replace(both, reader=lambda: reading(both.reader(), both.reader().feeds[:-1]))
    two.world.pipeline = alone
    two.world.worker().run_once()
    assert OTHER not in two.world.store.overview(two.world.record.name).checkpoints
    two.world.pipeline = both
    two.world.worker().run_once()
    assert two.checkpoint(OTHER) != START
    assert len(two.world.events.reconciliations) == 1


def test_a_key_that_two_feeds_name_is_written_once() -> None:
    """They join one batch."""
    two = two_feeds()
    with two.world.following() as poll:
        poll()
        two.other.put(("1",))
        two.world.table.put(("1",), n=1)
        poll()
        assert keys_written(two.world) == ["1"]
    assert two.world.equal()


def test_a_feed_that_cannot_be_read_leaves_nothing_settled_of_the_other() -> None:
    """† Its rows were delivered, but what the poll had learnt before it failed is forgotten with it."""
    two = two_feeds()
    world = two.world
    world.worker().run_once()
    late = world.table.begin()
    late.put(("late",), n=1)
    with world.following() as poll:
        for _ in range(3):
            world.clock.advance(5)
            poll()
        checkpoints = {name: two.checkpoint(name) for name in (world.table.name, OTHER)}
        late.commit()
        world.clock.advance(5)
        world.table.put(("1",), n=1)
        two.fails = True
        with pytest.raises(SourceUnavailable):
            poll()
        assert {name: two.checkpoint(name) for name in checkpoints} == checkpoints
    two.fails = False
    world.worker().run_once()
    assert world.equal()


def test_a_feed_with_a_backlog_does_not_keep_the_other_one() -> None:
    """† Each settles with the watermark that it has reached itself."""
    two = two_feeds(batch_rows=5, pages=1)
    world = two.world
    world.worker().run_once()
    start = world.clock.now()
    for i in range(100):
        two.other.put((f"{i:03}",), start + timedelta(seconds=i))
        world.table.put((f"{i:03}",), start - timedelta(days=1), n=i)
    world.clock.advance(3600)
    with world.following() as poll:
        assert poll().more
        assert two.checkpoint(OTHER).watermark < start + timedelta(seconds=10)
        assert two.checkpoint(world.table.name).watermark > start + timedelta(minutes=59)
        polls = 1
        while poll().more:
            polls += 1
            assert polls < 50
    assert world.equal()


def test_a_key_that_is_put_off_keeps_the_checkpoint_of_the_feed_that_named_it_alone() -> None:
    """† The other one has nothing to come back for."""
    two = two_feeds()
    world = two.world
    with world.following() as poll:
        poll()
        world.clock.advance(10)
        world.answers[("busy",)] = Deferred("no primary")
        two.other.put(("busy",))
        when = world.clock.now()
        for i in range(5):
            world.clock.advance(10)
            world.table.put((str(i),), n=i)
            poll()
        assert two.checkpoint(OTHER).watermark <= when < two.checkpoint(world.table.name).watermark
