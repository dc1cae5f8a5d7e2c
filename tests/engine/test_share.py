"""Pipelines move from process to process until the shares are even, and no further."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from syncer.adapters.memory.lease import MemoryLease
from syncer.adapters.memory.state import MemoryStateStore
from syncer.core.error import LeaseHeld, StateUnavailable
from syncer.core.index import IndexRecord, Phase
from syncer.engine.pipeline import Pipeline
from syncer.engine.share import HANDOVER_SECONDS, Share
from tests.builders import World, a_world


def pipelines(world: World, count: int) -> list[Pipeline]:
    names = [f"p{i}" for i in range(count)]
    for name in names:
        world.store.register(IndexRecord(name, name, name, Phase.NEW, 0, {}))
    return [replace(world.pipeline, name=name) for name in names]


@contextmanager
def following(share: Share, followed: list[Pipeline]) -> Iterator[None]:
    with ExitStack() as stack:
        for pipeline in followed:
            stack.enter_context(share.lease(pipeline, pipeline.name, asks=True))
        yield


def hands_over(share: Share, pipeline: Pipeline) -> bool:
    try:
        share.prove_fair(pipeline)
    except LeaseHeld:
        return True
    return False


@pytest.mark.parametrize(("held", "fewest", "expected"), [(3, 1, True), (3, 2, False), (3, None, False), (1, 0, False)])
def test_a_pipeline_is_handed_over_to_who_follows_two_fewer(held: int, fewest: int | None, expected: bool) -> None:
    """With one fewer, it would come back."""
    world, share = a_world(), Share()
    followed = pipelines(world, held)
    with following(share, followed):
        world.store.ask("p0", fewest)
        assert hands_over(share, followed[0]) is expected


def test_one_is_handed_over_at_a_time() -> None:
    """Until the other one has had the time to say how many it has now."""
    world, share = a_world(), Share()
    followed = pipelines(world, 6)
    with following(share, followed):
        for pipeline in followed:
            world.store.ask(pipeline.name, 0)
        assert [hands_over(share, pipeline) for pipeline in followed] == [True, *[False] * 5]
        world.clock.advance(HANDOVER_SECONDS)
        assert [hands_over(share, pipeline) for pipeline in followed[1:]] == [True, *[False] * 4]


def test_nobody_takes_what_one_waits_for_that_follows_fewer() -> None:
    """Nor does who handed it over take it back, before the other one has come."""
    world, share = a_world(), Share()
    mine, other = pipelines(world, 2)
    with following(share, [mine]):
        world.store.ask(other.name, 0)
        with pytest.raises(LeaseHeld, match="left to"), share.lease(other, other.name, asks=False):
            pass
        world.store.ask(other.name, 1)
        with share.lease(other, other.name, asks=False):
            pass


def test_who_waits_says_so_until_it_has_the_lease() -> None:
    """And one that does not want it says nothing."""
    world, share = a_world(), Share()
    (pipeline,) = pipelines(world, 1)
    holder = world.store.acquire(pipeline.name)
    with pytest.raises(LeaseHeld), share.lease(pipeline, pipeline.name, asks=False):
        pass
    assert world.store.asking(pipeline.name) is None
    with pytest.raises(LeaseHeld), share.lease(pipeline, pipeline.name, asks=True):
        pass
    assert world.store.asking(pipeline.name) == 0
    holder.release()
    with share.lease(pipeline, pipeline.name, asks=True):
        assert world.store.asking(pipeline.name) is None


class Full(MemoryStateStore):
    """Has no connection left for a lease."""

    def acquire(self, index: str) -> MemoryLease:
        raise StateUnavailable(f"too many connections for {index}")


def test_who_cannot_take_a_lease_does_not_keep_others_from_it() -> None:
    """What it said is taken back."""
    world, share = a_world(), Share()
    (mine,) = pipelines(world, 1)
    store = Full()
    with pytest.raises(StateUnavailable), share.lease(replace(mine, store=store), mine.name, asks=True):
        pass
    assert store.asking(mine.name) is None
