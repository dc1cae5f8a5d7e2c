"""Waiting for the shards of an index that searches are about to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from syncer.adapters.memory.sink import MemoryIndices
from syncer.core.error import SinkUnavailable
from syncer.core.index import Health
from syncer.engine.publish import HOMELESS_SECONDS, PRIMARIES_SECONDS, wait_for_shards
from tests.builders import World, a_world

GREEN = Health(green=True, yellow=True, moving=0, unassigned=0)
MOVING = Health(green=False, yellow=True, moving=1, unassigned=1)
HOMELESS = Health(green=False, yellow=True, moving=0, unassigned=2)
CROWDED = Health(green=False, yellow=True, moving=0, unassigned=2, crowded=True)
RED = Health(green=False, yellow=False, moving=0, unassigned=3)


class ScriptedIndices(MemoryIndices):
    """Tells of its shards what a test says; without graphs to build."""

    def __init__(self, tell: Callable[[], Health]) -> None:
        super().__init__()
        self.tell = tell
        self.asked = 0

    def build_graphs(self, name: str) -> str | None:
        self.identity(name)
        return None

    def health(self, name: str) -> Health:
        self.identity(name)
        self.asked += 1
        return self.tell()


def a_world_with(tell: Callable[[], Health]) -> tuple[World, ScriptedIndices]:
    indices = ScriptedIndices(tell)
    world = a_world(indices=indices)
    indices.create("new", {"pipeline": "items"})
    return world, indices


def by_time(world: Callable[[], World], *phases: tuple[float, Health]) -> Callable[[], Health]:
    """Tell the health of the last of these phases that has begun."""

    def tell() -> Health:
        now = world().clock.monotonic()
        return [health for since, health in phases if since <= now][-1]

    return tell


def waited(*phases: tuple[float, Health]) -> tuple[World, bool, float]:
    world, indices = a_world_with(lambda: tell())
    tell = by_time(lambda: world, *phases)
    ready = wait_for_shards(world.pipeline, "new", world.events)
    assert indices.indices["new"].restored, "before it is waited for"
    return world, ready, world.clock.monotonic()


def test_it_goes_on_at_once_where_all_copies_are_there() -> None:
    """And has nothing to tell."""
    world, ready, seconds = waited((0, GREEN))
    assert (ready, seconds, world.events.unassigned) == (True, 0, [])


def test_copies_that_cannot_find_a_place_are_not_waited_for_and_told() -> None:
    """There are fewer nodes than copies."""
    world, ready, seconds = waited((0, CROWDED))
    assert (ready, seconds, world.events.unassigned) == (True, 0, [2])


def test_copies_on_their_way_are_waited_for_however_long_it_takes() -> None:
    """Also where some of the others will find no place."""
    world, ready, seconds = waited((0, MOVING), (10 * HOMELESS_SECONDS, GREEN))
    assert (ready, world.events.unassigned) == (True, [])
    assert seconds >= 10 * HOMELESS_SECONDS
    crowded = Health(green=False, yellow=True, moving=1, unassigned=1, crowded=True)
    world, ready, seconds = waited((0, crowded), (1000, CROWDED))
    assert (ready, world.events.unassigned) == (True, [2])
    assert 1000 <= seconds < 1010


def test_copies_that_are_nowhere_are_given_up_after_a_while() -> None:
    """A node that has just left may come back; the while begins again where copies move in between."""
    world, ready, seconds = waited((0, HOMELESS))
    assert (ready, world.events.unassigned) == (True, [2])
    assert HOMELESS_SECONDS <= seconds < HOMELESS_SECONDS + 2
    world, ready, seconds = waited((0, HOMELESS), (60, MOVING), (70, HOMELESS))
    assert 70 + HOMELESS_SECONDS - 1 <= seconds < 70 + HOMELESS_SECONDS + 2


def test_an_index_whose_primaries_stay_away_is_not_searched() -> None:
    """Whoever comes next tries again."""
    with pytest.raises(SinkUnavailable, match="primary shard is away"):
        waited((0, RED))


def test_primaries_that_go_away_late_have_the_same_time_to_come_back() -> None:
    """However long the copies were waited for before."""
    late = 10 * PRIMARIES_SECONDS
    world, ready, _ = waited((0, MOVING), (late, RED), (late + PRIMARIES_SECONDS / 2, GREEN))
    assert ready
    assert world.events.unassigned == []


def test_it_ends_when_the_process_is_asked_to_stop() -> None:
    """Nothing is decided then."""
    world, indices = a_world_with(lambda: next(answers))

    def tell() -> Iterator[Health]:
        yield MOVING
        world.clock.stop()
        yield MOVING

    answers = tell()
    assert not wait_for_shards(world.pipeline, "new", world.events)
    assert indices.asked == 2
    assert world.events.unassigned == []


class BuildingIndices(MemoryIndices):
    """Has graphs to build, for a minute."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None

    def build_graphs(self, name: str) -> str | None:
        assert not self.indices[name].restored, "replicas would build them once more"
        return "task"

    def is_running(self, task: str) -> bool:
        assert (task, self.world is None) == ("task", False)
        return self.world is not None and self.world.clock.monotonic() < 60


def test_graphs_of_vectors_are_built_before_searches_come() -> None:
    """And before there are replicas, which take them over."""
    indices = BuildingIndices()
    world = indices.world = a_world(indices=indices)
    indices.create("new", {"pipeline": "items"})
    assert wait_for_shards(world.pipeline, "new", world.events)
    assert world.clock.monotonic() >= 60
    assert indices.indices["new"].restored


def test_a_stop_is_heard_while_graphs_are_built() -> None:
    """The server goes on; the next process waits for it."""
    indices = BuildingIndices()
    world = indices.world = a_world(indices=indices)
    indices.create("new", {"pipeline": "items"})
    world.clock.stop()
    assert not wait_for_shards(world.pipeline, "new", world.events)
    assert not indices.indices["new"].restored
