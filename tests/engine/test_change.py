"""A daemon whose configuration has changed, and what it finds under the alias."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import pytest

from syncer.adapters.memory.clock import MemoryClock
from syncer.adapters.memory.source import MemoryKeyFeed
from syncer.core.error import ConfigurationError, FingerprintMismatch, LeaseHeld
from syncer.core.index import Phase, Role, Targets
from syncer.core.key_range import KeyRange
from syncer.engine.backfill import backfill
from syncer.engine.look import Looker
from syncer.engine.pipeline import OnChange, Pipeline, Retention
from syncer.engine.rebuild import rebuild, rollback
from syncer.engine.repair import Repair
from syncer.engine.resync import resync
from syncer.engine.worker import Worker
from tests.builders import RecordedEvents, World
from tests.engine.test_followers import a_world_with_a_kept_index, follow_until_claimed, kept
from tests.engine.test_rebuild import a_loaded_world, changed, phases


def rebuilding(world: World) -> Pipeline:
    """Return the changed pipeline of a daemon that may rebuild by itself."""
    return replace(changed(world).pipeline, on_change=OnChange.REBUILD)


def growing(world: World) -> World:
    """Change the configuration so that the index can grow."""
    old = world.pipeline.definition
    changed(world)
    world.pipeline = replace(world.pipeline, grows_from=lambda definition: definition == old)
    return world


def with_more(world: World) -> Pipeline:
    """Return the pipeline with a field more; its index can grow into it."""
    world.clock.advance(1)  # indices are named by the time
    return replace(
        world.pipeline,
        fingerprint={**world.pipeline.fingerprint, "mapping": "more"},
        definition={"mapping": "more"},
        grows_from=lambda _definition: True,
    )


def test_a_daemon_that_may_rebuild_does_so_and_follows_the_new_index() -> None:
    """What the load delivered is told with its first poll."""
    world = a_loaded_world()
    old = world.record.name
    with closing(Worker(rebuilding(world), world.events).session()) as session:
        assert next(session).report.applied >= 40
        assert phases(world)[old] == (Role.KEPT, Phase.KEPT)
        world.table.put(("late",), n=1)
        next(session)
    assert world.equal()


def test_it_does_not_rebuild_what_is_kept() -> None:
    """Two daemons of different configurations would rebuild in turns for ever; an operator rolls back."""
    world = a_loaded_world()
    old = replace(world.pipeline, on_change=OnChange.REBUILD)
    index = rebuild(changed(world).pipeline, world.events).index
    with pytest.raises(FingerprintMismatch, match="syncer rollback items"):
        Worker(old, world.events).run_once()
    assert (world.record.name, len(world.store.indices())) == (index, 2)


def test_it_stands_by_while_another_process_rebuilds() -> None:
    """And follows what that has built."""
    world = a_loaded_world()
    live, pipeline = world.record.name, rebuilding(world)
    rebuild(pipeline, world.events, swaps=False)
    [building] = [record for record in world.store.indices() if record.role is Role.BUILDING]
    lease = world.store.acquire(building.name)
    lease.update(phase=Phase.LOADED)

    def swapped(old: str | None, new: str) -> None:
        assert (old, new) == (live, building.name)
        world.clock.stop()

    world.events.on_trouble = lease.release
    world.events.swapped = swapped  # type: ignore[method-assign]
    Worker(pipeline, world.events).run()
    [trouble] = world.events.trouble
    assert isinstance(trouble, LeaseHeld)
    assert f"index {building.name} of pipeline 'items' is being built by another process" in str(trouble)
    assert world.record.name == building.name


def test_a_stop_in_the_middle_of_its_rebuild_ends_it_in_order() -> None:
    """The next process goes on with it."""
    world = a_loaded_world()
    old = world.record.name
    pipeline = rebuilding(world)

    def loading(settled: int, total: int) -> None:
        if 0 < settled < total:
            world.clock.stop()

    world.events.loading = loading  # type: ignore[method-assign]
    Worker(pipeline, world.events).run()
    assert world.events.trouble == []
    [building] = [record.name for record in world.store.indices() if record.role is Role.BUILDING]
    assert world.indices.aliases == {"items": old}
    Worker(replace(pipeline, clock=MemoryClock(world.clock.now())), RecordedEvents()).run_once()
    assert world.indices.aliases == {"items": building}
    assert world.equal()


def test_an_alias_that_points_elsewhere_is_told_once_a_session() -> None:
    """It is left as it is: somebody may have pointed it there on purpose."""
    world = a_loaded_world()
    world.indices.create("elsewhere", {"pipeline": "items"})
    world.indices.aliases["items"] = "elsewhere"
    with world.following() as poll:
        for _ in range(5):
            world.clock.advance(100)
            poll()
    assert world.events.strays == [Targets({"elsewhere": True})]
    assert world.indices.aliases == {"items": "elsewhere"}
    with world.following() as poll:
        poll()
    assert len(world.events.strays) == 2


def test_a_rebuild_may_take_the_name_over_from_an_index_of_another_tool() -> None:
    """It is refused before the load where that was not asked for."""
    world = a_loaded_world()
    world.indices.aliases.clear()
    world.indices.foreign.add("items")
    written = len(world.written)
    with pytest.raises(ConfigurationError, match="items is the name of an index"):
        rebuild(changed(world).pipeline, world.events)
    assert len(world.written) == written
    rebuilt = rebuild(world.pipeline, world.events, take_over=True)
    assert world.indices.aliases == {"items": rebuilt.index}
    assert world.indices.foreign == set()


def test_fields_that_were_added_are_filled_beside_the_polls() -> None:
    """Which must not wait for the reading of a whole table."""
    world = a_loaded_world()
    growing(world)
    written, filled, go = len(world.written), threading.Event(), threading.Event()

    def loading(settled: int, total: int) -> None:
        assert go.wait(30)

    world.events.loading = loading  # type: ignore[method-assign]
    world.events.on_filled = filled.set
    with world.following() as poll:
        for number in range(3):
            world.table.put(("new",), n=number)
            poll()
        assert world.equal()
        assert world.record.filling
        go.set()
        assert filled.wait(30)
        assert len(world.written) - written >= 40
        assert not world.record.filling
    assert len(world.events.extensions) == 1
    assert world.record.fingerprint == world.pipeline.fingerprint


def test_a_backfill_that_was_under_way_does_not_count_as_filled() -> None:
    """Its settled ranges lack the new fields."""
    world = a_loaded_world()
    world.clock.advance(3600)
    world.worker().run_once()  # so that no poll delivers the rows again
    progress = world.store.backfill(world.record.name)
    progress.plan([replace(part, done=number == 0) for number, part in enumerate(_ranges(world))])
    growing(world)
    with pytest.raises(LeaseHeld):
        world.worker().run_once()
    assert world.events.extensions == [], "while it runs, the index does not grow"
    progress.release()
    written = len(world.written)
    world.worker().run_once()
    assert {write.key for write in world.written[written:]} == world.table.documents().keys()
    assert not world.record.filling


def test_an_index_whose_fields_are_still_filled_is_filled_and_compared_before_it_is_rolled_back_to() -> None:
    """Also where it was followed until now, which is enough for any other."""
    assert follow_until_claimed(a_world_with_a_kept_index()).verified is None
    world = a_world_with_a_kept_index()
    lease = world.store.acquire(kept(world).name)
    lease.update(filling=True)
    lease.release()
    assert follow_until_claimed(world).verified is not None
    assert not world.record.filling


def _ranges(world: World) -> Sequence[KeyRange]:
    return list(world.pipeline.reader().keys.divide(world.pipeline.limits.range_rows))


def test_a_daemon_does_not_undo_a_rollback_by_growing_the_index() -> None:
    """It has the configuration that was rolled back in memory, and must read its file again."""
    world = a_loaded_world()
    replaced, grown = world.pipeline, with_more(world)
    rebuild(grown, world.events)
    world.clock.advance(3600)
    rollback(replaced, world.events)
    with pytest.raises(FingerprintMismatch):
        Worker(grown, world.events).run_once()
    assert world.record.fingerprint == dict(replaced.fingerprint)


def test_two_configurations_do_not_change_an_index_in_turns() -> None:
    """The one that was replaced changes nothing by itself, however the other one replaced it, and none is kept."""
    world = a_loaded_world()
    world.pipeline = replace(world.pipeline, on_change=OnChange.REBUILD, retention=Retention(indices=0))
    old, new = world.pipeline, with_more(world)
    Worker(new, world.events).run_once()
    live = world.record
    assert live.fingerprint == dict(new.fingerprint)
    with pytest.raises(FingerprintMismatch):
        Worker(old, world.events).run_once()
    assert world.record == live
    world.clock.advance(1)
    again = rebuild(old, world.events)
    assert (again.phase, world.record.fingerprint) == (Phase.LIVE, dict(old.fingerprint)), "when it is said aloud"
    with pytest.raises(FingerprintMismatch):
        Worker(new, world.events).run_once()


def test_a_command_of_before_writes_nothing_to_an_index_that_has_grown() -> None:
    """Its rows would take the new values away, with higher numbers than those that fill them."""
    world = a_loaded_world()
    before, name = world.pipeline, world.record.name
    Worker(with_more(world), world.events).run_once()
    written = len(world.written)
    documents = before.reader().documents
    keys = MemoryKeyFeed(world.table, list(world.table.documents()))
    with pytest.raises(FingerprintMismatch):
        resync(before, documents, name, keys)
    progress = world.store.backfill(name)
    with pytest.raises(FingerprintMismatch):
        backfill(before, name, progress)
    progress.release()
    with pytest.raises(FingerprintMismatch):
        Repair(before, documents, Looker(before.sides(name), None, None, deep=False, rows=10), world.record).deliver(
            list(world.table.documents())
        )
    assert len(world.written) == written
