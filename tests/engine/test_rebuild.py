"""Rebuilding, promoting and rolling back, on the memory adapters."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from syncer.core.error import (
    ConfigurationError,
    FatalError,
    FingerprintMismatch,
    IndexMissing,
    LeaseHeld,
    Paused,
    SinkUnavailable,
)
from syncer.core.index import Phase, Role
from syncer.core.outcome import Rejected
from syncer.engine.pipeline import Retention
from syncer.engine.rebuild import abandon, promote, rebuild, rollback
from syncer.engine.worker import Worker
from tests.builders import World, a_world


def a_loaded_world(rows: int = 40, **options: Any) -> World:
    world = a_world(**options)
    for i in range(rows):
        world.table.put((f"{i:03}",), n=i)
    world.worker().run_once()
    return world


def changed(world: World, mapping: str = "m2") -> World:
    """Change the configuration so that the index no longer matches."""
    definition: dict[str, Any] = {"mapping": {"properties": {mapping: {}}}}
    fingerprint = {**world.pipeline.fingerprint, "mapping": mapping}
    world.pipeline = replace(world.pipeline, fingerprint=fingerprint, definition=definition)
    world.clock.advance(1)  # indices are named by the time
    return world


def phases(world: World) -> dict[str, tuple[Role, Phase]]:
    return {record.name: (record.role, record.phase) for record in world.store.indices()}


def test_a_rebuild_puts_a_new_index_in_place_and_keeps_the_old_one() -> None:
    """Loaded, compared, with the settings for searches; the alias points to it alone."""
    world = a_loaded_world()
    old = world.record.name
    rebuilt = rebuild(changed(world).pipeline, world.events)
    assert (rebuilt.old, rebuilt.complete, rebuilt.phase) == (old, True, Phase.LIVE)
    assert world.record.name == rebuilt.index != old
    assert world.indices.aliases == {"items": rebuilt.index}
    assert world.index.restored
    assert world.equal()
    assert phases(world) == {old: (Role.KEPT, Phase.KEPT), rebuilt.index: (Role.LIVE, Phase.LIVE)}
    assert world.events.phases == [Phase.NEW, Phase.LOADED, Phase.READY]
    assert rebuilt.verified is not None
    assert rebuilt.verified.equal


def test_a_rebuild_without_an_index_is_the_first_load() -> None:
    """Compared with the table before searches find it."""
    world = a_world()
    for i in range(40):
        world.table.put((f"{i:03}",), n=i)
    rebuilt = rebuild(world.pipeline, world.events)
    assert (rebuilt.old, rebuilt.phase) == (None, Phase.LIVE)
    assert world.indices.aliases == {"items": rebuilt.index}
    assert world.equal()
    world.table.put(("new",), n=1)
    world.worker().run_once()
    assert world.equal()


def test_a_second_rebuild_refuses_and_names_the_first() -> None:
    """Who holds the new index's lease is building it."""
    world = a_loaded_world()
    changed(world)
    world.outage = SinkUnavailable("died here")
    with pytest.raises(SinkUnavailable):
        rebuild(world.pipeline, world.events)
    world.outage = None
    (building,) = [record for record in world.store.indices() if record.role is Role.BUILDING]
    lease = world.store.acquire(building.name)
    with pytest.raises(LeaseHeld, match=f"index {building.name} .* is being built"):
        rebuild(world.pipeline, world.events)
    lease.release()
    assert rebuild(world.pipeline, world.events).index == building.name


def test_changes_made_meanwhile_are_in_both_indices() -> None:
    """The old one is followed by a process of the old configuration until it hands the lease over."""
    world = a_loaded_world()
    world.table.triggers = True
    old_pipeline = world.pipeline
    old = world.record.name
    worker = Worker(old_pipeline, world.events)
    with closing(worker.session()) as session:
        next(session)
        written = 0

        def write(_settled: int, _total: int) -> None:
            nonlocal written
            written += 1
            world.table.put((f"new {written}",), n=written)
            world.table.delete((f"{written:03}",))
            if written < 5:
                next(session)

        world.events.loading = write  # type: ignore[method-assign, assignment]
        world.events.comparing = write  # type: ignore[method-assign, assignment]
        clock_wait, handed_over = world.clock.wait, False

        def wait(seconds: float) -> bool:
            nonlocal handed_over
            if world.store.claimed(old) and not handed_over:
                handed_over = True
                with pytest.raises(LeaseHeld):
                    deque(session)
            return clock_wait(seconds)

        world.clock.wait = wait  # type: ignore[method-assign]
        rebuilt = rebuild(changed(world).pipeline, world.events)
    assert rebuilt.complete
    assert handed_over
    assert written >= 2
    world.worker().run_once()
    assert world.equal()


def test_without_a_swap_it_waits_to_be_promoted() -> None:
    """Searches find the old index until then, and the new one is caught up first."""
    world = a_loaded_world()
    old = world.record.name
    waiting = rebuild(changed(world).pipeline, world.events, swaps=False)
    assert waiting.phase is Phase.READY
    assert world.record.name == old
    world.table.put(("late",), n=1)
    promoted = promote(world.pipeline, world.events)
    assert (promoted.index, promoted.old) == (waiting.index, old)
    assert world.indices.aliases == {"items": waiting.index}
    assert world.equal()


@pytest.mark.parametrize("phase", [Phase.LOADED, Phase.READY])
def test_an_index_that_is_built_or_waits_can_be_given_up(phase: Phase) -> None:
    """It is deleted, and none is built; the live one stays as it is."""
    world = a_loaded_world()
    live = world.record.name
    given_up = rebuild(changed(world).pipeline, world.events, swaps=False).index
    lease = world.store.acquire(given_up)
    lease.update(phase=phase)
    if phase is Phase.LOADED:
        with pytest.raises(LeaseHeld, match="is being built by another process"):
            abandon(world.pipeline, world.events)
    lease.release()
    assert abandon(world.pipeline, world.events).index == given_up
    assert world.events.discards == [given_up]
    assert set(world.indices.indices) == {live}
    assert phases(world) == {live: (Role.LIVE, Phase.LIVE)}
    with pytest.raises(ConfigurationError, match="is being built, or waits"):
        abandon(world.pipeline, world.events)


def test_giving_up_that_was_interrupted_goes_on() -> None:
    """The index stands as being deleted by then."""
    world = a_loaded_world()
    given_up = rebuild(changed(world).pipeline, world.events, swaps=False).index
    lease = world.store.acquire(given_up)
    lease.update(phase=Phase.DELETING)
    lease.release()
    assert abandon(world.pipeline, world.events).index == given_up
    assert given_up not in world.indices.indices


def test_an_index_that_searches_find_is_not_given_up() -> None:
    """The state is older than the alias."""
    world = a_loaded_world()
    waiting = rebuild(changed(world).pipeline, world.events, swaps=False).index
    world.indices.aliases["items"] = waiting
    with pytest.raises(ConfigurationError, match="searches find it"):
        abandon(world.pipeline, world.events)
    assert waiting in world.indices.indices


def test_promote_points_the_alias_to_the_live_index_again() -> None:
    """Where nothing waits, and somebody has pointed it elsewhere."""
    world = a_loaded_world()
    world.indices.aliases.clear()
    promote(world.pipeline, world.events)
    assert world.indices.aliases == {"items": world.record.name}


def test_promote_does_not_claim_an_index_that_was_deleted() -> None:
    """Searches find nothing, and a build is what helps."""
    world = a_loaded_world()
    world.indices.delete(world.record.name)
    with pytest.raises(IndexMissing):
        promote(world.pipeline, world.events)


def test_promote_without_any_index_says_how_to_build_one() -> None:
    """Nothing is registered."""
    world = a_world()
    with pytest.raises(ConfigurationError, match="waits to be promoted"):
        promote(world.pipeline, world.events)
    assert list(world.store.indices()) == []


def test_a_rollback_swaps_back_once_the_old_index_holds_everything() -> None:
    """With the configuration that it was built from; the one before is kept in its turn."""
    world = a_loaded_world()
    before, old = world.pipeline, world.record.name
    rebuilt = rebuild(changed(world).pipeline, world.events)
    world.table.put(("late",), n=1)
    world.worker().run_once()
    with pytest.raises(FingerprintMismatch, match="was built from another configuration"):
        rollback(world.pipeline, world.events)
    world.pipeline = before
    world.clock.advance(3600)
    rolled = rollback(world.pipeline, world.events)
    assert (rolled.index, rolled.old) == (old, rebuilt.index)
    assert rolled.verified is not None, "nobody has followed it"
    assert world.indices.aliases == {"items": old}
    assert world.equal()
    assert phases(world) == {rebuilt.index: (Role.KEPT, Phase.KEPT), old: (Role.LIVE, Phase.LIVE)}


def test_a_rollback_without_a_kept_index_is_refused() -> None:
    """It says where to look."""
    world = a_loaded_world()
    with pytest.raises(ConfigurationError, match="is kept that could be rolled back to"):
        rollback(world.pipeline, world.events)


def test_an_unfinished_index_of_another_configuration_is_deleted() -> None:
    """It would never be searched."""
    world = a_loaded_world()
    waiting = rebuild(changed(world).pipeline, world.events, swaps=False)
    rebuilt = rebuild(changed(world, "m3").pipeline, world.events)
    assert world.events.discards == [waiting.index]
    assert waiting.index not in world.indices.indices
    assert world.record.name == rebuilt.index


def test_kept_indices_go_when_they_are_too_many() -> None:
    """The newest stay."""
    world = a_loaded_world()
    world.pipeline = replace(world.pipeline, retention=Retention(indices=1))
    first = world.record.name
    second = rebuild(changed(world).pipeline, world.events).index
    assert world.events.discards == []
    third = rebuild(changed(world, "m3").pipeline, world.events).index
    assert world.events.discards == [first]
    assert phases(world) == {second: (Role.KEPT, Phase.KEPT), third: (Role.LIVE, Phase.LIVE)}
    assert set(world.indices.indices) == {second, third}


def test_what_cannot_be_deleted_does_not_undo_the_swap() -> None:
    """The command ends well: repeated, it would build another index."""
    world = a_loaded_world()
    world.pipeline = replace(changed(world).pipeline, retention=Retention(indices=0))

    def refuse(name: str) -> None:
        raise SinkUnavailable("not now")

    world.indices.delete = refuse  # type: ignore[method-assign]
    rebuilt = rebuild(world.pipeline, world.events)
    assert (rebuilt.phase, rebuilt.complete) == (Phase.LIVE, True)
    assert [str(error) for error in world.events.trouble] == ["not now"]


def test_rows_that_the_index_refuses_do_not_keep_it_from_being_searched() -> None:
    """They are dead letters of the new index; a difference that nothing explains does."""
    world = a_loaded_world()
    world.answers[("007",)] = Rejected("refused", "bad")
    rebuilt = rebuild(changed(world).pipeline, world.events)
    assert rebuilt.phase is Phase.LIVE
    assert [letter.key for letter in world.dead_letters()] == [("007",)]


def test_an_index_that_does_not_become_equal_is_not_put_in_place() -> None:
    """The old one stays behind the alias."""
    world = a_loaded_world()
    old = world.record.name
    sink = world.pipeline.sink

    def leaky(index: str) -> Any:
        inner = sink(index)

        class Leaky:
            def write(self, writes: Any) -> Any:
                answers = list(inner.write(writes))
                for write in writes:
                    if write.key == ("007",):
                        world.indices.indices[index]._found.clear()
                return answers

        return Leaky()

    world.pipeline = replace(changed(world).pipeline, sink=leaky)
    with pytest.raises(FatalError, match="differs from its table"):
        rebuild(world.pipeline, world.events)
    assert world.record.name == old
    assert world.indices.aliases == {"items": old}


def test_a_paused_pipeline_is_not_rebuilt() -> None:
    """Nobody follows it, so nothing would catch up."""
    world = a_loaded_world()
    world.store.pause("items", world.clock.now())
    for act in (rebuild, promote, rollback):
        command: Callable[..., object] = act
        with pytest.raises(Paused):
            command(world.pipeline, world.events)
