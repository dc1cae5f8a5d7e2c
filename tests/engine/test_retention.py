"""Deleting kept indices while others hold leases."""

from __future__ import annotations

from dataclasses import replace

from syncer.core.index import Phase
from syncer.engine.rebuild import rebuild
from syncer.engine.retention import retire
from tests.engine.intercepted import intercepted
from tests.engine.test_rebuild import a_loaded_world, changed
from tests.engine.test_swap import before, when


def test_indices_are_retired_when_nobody_waits_for_the_live_one() -> None:
    """The lease of one that is kept may be waited for; the new index is followed meanwhile."""
    world = a_loaded_world()
    first = world.record.name
    rebuild(changed(world).pipeline, world.events)
    held = world.store.acquire(first)
    free: list[bool] = []

    def look() -> None:
        world.store.acquire(world.record.name).release()
        free.append(True)

    pipeline = intercepted(changed(world, "m3").pipeline, when("store.claim", first, look))
    assert rebuild(pipeline, world.events).phase is Phase.LIVE
    assert free
    assert first in world.indices.indices, "its holder does not let go: it is left for the next time"
    held.release()
    assert retire(world.pipeline, world.events) == [first]


def test_two_who_retire_the_same_index_do_not_fail() -> None:
    """The second finds nothing to delete."""
    world = a_loaded_world()
    first = world.record.name
    rebuild(changed(world).pipeline, world.events)
    pipeline = replace(world.pipeline, retention=replace(world.pipeline.retention, indices=0))
    overtaken = before("store.acquire", lambda: retire(pipeline, world.events), pipeline)
    assert retire(overtaken, world.events) == []
    assert first not in world.indices.indices
    assert world.store.named(first) is None
