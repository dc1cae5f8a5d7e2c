"""Documents whose shard a related row decides on: each key has one, whatever has moved it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from syncer.adapters.memory.source import MemoryKeyFeed
from syncer.adapters.memory.table import MemoryRelation, MemoryTable
from syncer.core.change import Document, Hydration, Removal, Write
from syncer.core.key import Key
from syncer.core.outcome import Rejected
from syncer.engine.deliver import Draw
from syncer.engine.resync import resync
from tests.builders import World, a_world

KEYS: Sequence[Key] = [(f"{number}",) for number in range(6)]
SHARDS = 5


def a_routed_world(*, triggers: bool = True) -> tuple[World, MemoryTable]:
    """Return a world whose articles are by Ada, in the north, and Bo, in the south; loaded."""
    world = a_world(shards=SHARDS, routed_by_others=True)
    authors = MemoryTable(world.clock, "public.author")
    world.table.triggers = authors.triggers = triggers
    world.table.relations.append(MemoryRelation("author", authors, of_root="by"))
    world.table.routed_by = ("author", "region")
    authors.put(("ada",), region="north")
    authors.put(("bo",), region="south")
    for number, key in enumerate(KEYS):
        world.table.put(key, by=("ada", "bo")[number % 2])
    world.worker().run_once()
    return world, authors


def places(world: World) -> list[tuple[Key, str | None]]:
    return sorted((hit.key, hit.draft.routing) for hit in world.index.hits())


def regions(world: World) -> list[tuple[Key, str | None]]:
    return sorted((key, world.table.document_routing(values)) for key, values in world.table.documents().items())


def shards(world: World, writes: Sequence[Write]) -> list[int]:
    index = world.index
    return [index.shard(w.key, w.routing if isinstance(w, Removal) else w.draft.routing) for w in writes]


def another_region(world: World, authors: MemoryTable) -> None:
    authors.put(("ada",), region="west")


def another_author(world: World, authors: MemoryTable) -> None:
    world.table.put(KEYS[0], by="bo")


def both(world: World, authors: MemoryTable) -> None:
    another_author(world, authors)
    authors.put(("bo",), region="east")
    authors.put(("ada",), region="south")


def no_article(world: World, authors: MemoryTable) -> None:
    world.table.delete(KEYS[0])


def no_author(world: World, authors: MemoryTable) -> None:
    authors.delete(("ada",))


def all_of_it(world: World, authors: MemoryTable) -> None:
    for change in (another_region, both, no_author, no_article):
        change(world, authors)


@pytest.mark.parametrize("change", [another_region, another_author, both, no_article, no_author, all_of_it])
def test_a_document_that_related_rows_move_is_there_once(change: Callable[[World, MemoryTable], None]) -> None:
    """Nobody knows where it was, for two tables may change at once: it is removed from every other shard."""
    world, authors = a_routed_world()
    assert places(world) == regions(world)
    change(world, authors)
    world.worker().run_once()
    assert places(world) == regions(world)


@pytest.mark.parametrize("change", [another_region, another_author, both])
def test_it_needs_no_triggers(change: Callable[[World, MemoryTable], None]) -> None:
    """But for what they alone notice."""
    world, authors = a_routed_world(triggers=False)
    change(world, authors)
    world.worker().run_once()
    assert places(world) == regions(world)


def test_what_nobody_noticed_is_mended_by_the_next_delivery() -> None:
    """Whoever delivers the row."""
    world, authors = a_routed_world(triggers=False)
    for _ in range(2):
        world.clock.advance(60)  # until no row is above a checkpoint
        world.worker().run_once()
    authors.delete(("ada",))
    world.worker().run_once()
    assert places(world) != regions(world)
    feed = MemoryKeyFeed(world.table, KEYS)
    resync(world.pipeline, world.pipeline.reader().documents, world.record.name, feed)
    assert places(world) == regions(world)


def test_each_write_reaches_each_shard_once() -> None:
    """The document its own, where a removal would let it be away for a while, and a rejected one for good."""
    world, _ = a_routed_world()
    world.written.clear()
    world.table.put(KEYS[0], by="bo")
    world.table.delete(KEYS[1])
    world.worker().run_once()
    for key in KEYS[:2]:
        assert sorted(shards(world, [write for write in world.written if write.key == key])) == list(range(SHARDS))


def test_a_first_load_removes_nothing() -> None:
    """What it leaves behind was moved meanwhile, and the poll of that change removes it."""
    world, _ = a_routed_world()
    assert [write.key for write in world.written if isinstance(write, Document)] == KEYS
    assert len(world.written) == len(KEYS)


def test_a_rejected_row_is_a_dead_letter() -> None:
    """It is not put off, as one is that has to be removed from a known place."""
    world, _ = a_routed_world()
    world.answers[KEYS[0]] = Rejected("document_parsing_exception", "no")
    world.table.put(KEYS[0], by="bo")
    with world.following() as poll:
        assert poll().deferred == 0
    assert [letter.key for letter in world.dead_letters()] == [KEYS[0]]


def test_what_nothing_is_told_of_stays_everywhere() -> None:
    """A row that cannot be read may have its document in any shard."""
    world, _ = a_routed_world()

    class Unreadable:
        def hydrate(self, keys: Sequence[Key]) -> Hydration:
            return Hydration([], dict.fromkeys(keys, "no"))

    delivery = world.pipeline.delivery(
        Unreadable(), world.record.name, world.store, draw=Draw.AFTER_HYDRATION, recheck_created=False
    )
    before = places(world)
    world.written.clear()
    delivery.deliver(KEYS)
    assert (places(world), world.written) == (before, [])
