"""Indices beside the live one, followed by threads of the daemon."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from syncer.adapters.clock import SystemClock
from syncer.core.error import IndexReplaced, StateUnavailable
from syncer.core.index import IndexIdentity, IndexRecord, Role
from syncer.engine.followers import LEAVE_SECONDS, LOOK_SECONDS, Followers
from syncer.engine.rebuild import Rebuilt, rebuild, rollback
from syncer.ports import StateStore
from tests.builders import RecordedEvents, World
from tests.engine.follower import Follower
from tests.engine.test_rebuild import a_loaded_world, changed

DEADLINE_SECONDS = 30.0


def kept(world: World) -> IndexRecord:
    [record] = [record for record in world.store.indices() if record.role is Role.KEPT]
    return record


def a_world_with_a_kept_index() -> World:
    """Its configuration is that of the kept index."""
    world = a_loaded_world()
    old = world.pipeline
    rebuild(changed(world).pipeline, world.events)
    world.pipeline = old
    return world


def follow_until_claimed(world: World) -> Rebuilt:
    """Follow the kept index, in one process, until another one rolls back to it."""
    follower = Follower(world, world.pipeline, lambda call: call(), kept(world).name)
    follower.step()
    clock_wait = world.clock.wait

    def wait(seconds: float) -> bool:
        follower.step()
        return clock_wait(seconds)

    world.clock.wait = wait  # type: ignore[method-assign]
    return rollback(world.pipeline, world.events)


class WatchedStore:
    """A store that says how often a lease was asked for, and does something whenever its indices are looked at."""

    def __init__(self, store: Any, on_look: Callable[[], None]) -> None:
        self._store = store
        self._on_look = on_look
        self.acquired = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def indices(self, pipeline: str | None = None) -> Any:
        self._on_look()
        return self._store.indices(pipeline)

    def acquire(self, index: str) -> Any:
        self.acquired += 1
        return self._store.acquire(index)


def followers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("follow ")]


def looked_at(world: World, looks: int, events: RecordedEvents) -> int:
    """Look so often which indices there are, wait for whatever that begins, and return how often a lease was taken."""
    turns = iter(range(looks))

    def on_look() -> None:
        for thread in followers():
            thread.join(DEADLINE_SECONDS)
        if next(turns, None) is None:
            world.clock.stop()

    store = WatchedStore(world.store, on_look)
    Followers(replace(world.pipeline, store=cast("StateStore", store)), lambda _index: events).run()
    return store.acquired


def test_a_kept_index_is_followed_until_it_is_swapped_in() -> None:
    """So a rollback needs no comparison. The thread ends: the index is the worker's then."""
    world = a_world_with_a_kept_index()
    name, clock, polled = kept(world).name, SystemClock(), threading.Event()
    events = RecordedEvents(on_poll=polled.set)
    limits = replace(world.pipeline.limits, interval_seconds=0.05)
    pipeline = replace(world.pipeline, clock=clock, limits=limits)
    world.table.put(("late",), n=1)
    looking = threading.Thread(target=Followers(pipeline, lambda _index: events).run)
    looking.start()
    try:
        assert polled.wait(DEADLINE_SECONDS)
        assert world.indices.indices[name].documents() == world.table.documents()
        [following] = followers()
        rolled = rollback(pipeline, world.events)
        assert (rolled.index, rolled.verified) == (name, None)
        following.join(DEADLINE_SECONDS)
        assert not following.is_alive()
        assert world.equal()
    finally:
        clock.stop()
        looking.join(DEADLINE_SECONDS)


def test_an_index_of_another_configuration_is_not_followed() -> None:
    """Its documents would be a mixture."""
    world = a_world_with_a_kept_index()
    changed(world, "m3")
    assert looked_at(world, 10, world.events) == 0


def test_an_index_that_is_gone_is_not_tried_again_and_again() -> None:
    """Nor told: `syncer indices` says so."""
    world = a_world_with_a_kept_index()
    world.indices.delete(kept(world).name)
    events = RecordedEvents()
    assert looked_at(world, 100, events) <= 100 * LOOK_SECONDS / LEAVE_SECONDS + 1
    assert events.trouble == []


def test_an_index_that_cannot_be_followed_is_told_and_tried_again_later() -> None:
    """It was exchanged for another one."""
    world = a_world_with_a_kept_index()
    world.indices.indices[kept(world).name].identity = IndexIdentity("another", {})
    events = RecordedEvents()
    acquired = looked_at(world, 100, events)
    assert 2 <= acquired <= 100 * LOOK_SECONDS / LEAVE_SECONDS + 1
    assert {type(error) for error in events.trouble} == {IndexReplaced}
    assert len(events.trouble) == acquired


def test_a_store_that_is_away_does_not_end_the_looking() -> None:
    """The worker of the live index meets the same, and tells."""
    world = a_world_with_a_kept_index()
    away = iter([True, True, False])
    looked = []

    def on_look() -> None:
        if next(away, None):
            raise StateUnavailable("away")
        looked.append(True)
        world.clock.stop()

    store = WatchedStore(world.store, on_look)
    Followers(replace(world.pipeline, store=cast("StateStore", store)), lambda _index: world.events).run()
    assert looked
    for thread in followers():
        thread.join(DEADLINE_SECONDS)
