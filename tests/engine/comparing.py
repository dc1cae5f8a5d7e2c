"""Worlds to compare: loaded, spoilt, or busy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from syncer.adapters.memory.digests import MemoryIndexDigests
from syncer.core.change import Document, Draft, Removal
from syncer.core.key import Key
from syncer.engine.pipeline import Sides
from syncer.engine.verify import Verification, Verified
from tests.builders import World, a_comparison, a_world


def a_loaded_world(rows: int = 40, **options: Any) -> World:
    world = a_world(**options)
    for i in range(rows):
        world.table.put((f"{i:03}",), n=i)
    world.worker().run_once()
    world.written.clear()
    return world


def verified(world: World, sides: Sides | None = None, **options: Any) -> Verified:
    sides = sides or a_comparison(world.table, world.index)
    return Verification(world.pipeline, sides, world.record, **options).run()


def counts(found: Verified) -> dict[str, int]:
    return {str(kind): count for kind, count in found.differences.items()}


def plant(world: World) -> None:
    """Let three rows be missing, two stale, and two documents be extra: nobody is told."""
    index = world.index
    for key in ("001", "002", "003"):
        index.apply(Removal((key,), 10**9))
    for key in ("010", "011"):
        index.apply(Document(Draft((key,), '{"n": -1}', 5, {}), {}, 10**9))
    for key in ("900", "901"):
        index.apply(Document(Draft((key,), "{}", 5, {}), {}, 10**9))


def removals(world: World) -> list[Key]:
    return [write.key for write in world.written if isinstance(write, Removal)]


def a_routed_world() -> World:
    world = a_world(shards=4)
    world.table.routing = "tenant"
    for i in range(20):
        world.table.put((f"{i:03}",), n=i, tenant=f"t{i % 3}")
    world.worker().run_once()
    world.written.clear()
    return world


class Busy(MemoryIndexDigests):
    """Calls somebody at each look."""

    def __init__(self, world: World, act: Callable[[int], None]) -> None:
        super().__init__(world.index)
        self._act = act
        self.looks = 0

    def find(self, ids: Sequence[str], *, whole: bool) -> Any:
        self.looks += 1
        self._act(self.looks)
        return super().find(ids, whole=whole)


def busy(world: World, act: Callable[[int], None]) -> Sides:
    return replace(a_comparison(world.table, world.index), index=Busy(world, act))
