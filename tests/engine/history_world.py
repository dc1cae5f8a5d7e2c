"""The world of a random history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from syncer.adapters.memory.sink import MemoryIndices, MemorySink
from syncer.adapters.memory.source import MemoryDocuments
from syncer.core.change import Write
from syncer.core.outcome import Outcome
from tests.builders import World, a_comparison, a_world
from tests.engine.visible_documents import VisibleDocuments, of_visible_rows


def route_by_authors(world: World) -> None:
    """Let the region of its author decide on the shard of a document."""
    world.table.routed_by = ("author", "region")
    world.indices = MemoryIndices(shards=3)
    world.pipeline = replace(world.pipeline, indices=world.indices, routed_by_others=True)


def a_random_world(chance: Random, has: set[str], answer: Callable[[Write], Outcome | None]) -> World:
    """Return a world of random bounds with some of the features; answer: what its index says in place of a write."""
    world = a_world(
        batch_rows=chance.choice([2, 5, 50]),
        pages=chance.choice([1, 2, 20]),
        window_entries=chance.choice([3, 1000]),
        range_rows=chance.choice([3, 30]),
        embedding="embedding" in has,
        rejections=10_000,
    )
    world.table.triggers = "tombstones" in has
    if "routing" in has and world.table.triggers:
        world.table.routing = "tenant"
        world.indices = MemoryIndices(shards=3)
    world.pipeline = replace(
        of_visible_rows(world.pipeline),
        indices=world.indices,
        sink=lambda index: MemorySink(world.indices.indices[index], answer),
        sides=lambda index: replace(
            a_comparison(world.table, world.indices.indices[index]),
            documents=VisibleDocuments(MemoryDocuments(world.table)),
        ),
    )
    return world
