"""Rows that are deleted where triggers note it."""

from __future__ import annotations

from threading import Event

from syncer.core.error import SinkUnavailable
from syncer.core.index import IndexRecord, Phase
from syncer.core.settlement import Settlement
from tests.builders import World, a_world


def a_noted_world(rows: int = 0) -> World:
    world = a_world()
    world.table.triggers = True
    for i in range(rows):
        world.table.put((f"{i:03}",), n=i)
    return world


def a_loaded_world(rows: int) -> World:
    """Without triggers until now."""
    world = a_noted_world(rows)
    world.table.triggers = False
    world.worker().run_once()
    return world


def test_a_deleted_row_loses_its_document_and_a_row_that_came_back_keeps_it() -> None:
    """A tombstone is a hint: what the key is now decides, whichever feed names it first."""
    world = a_noted_world(3)
    with world.following() as poll:
        poll()
        world.table.delete(("000",))
        world.table.delete(("001",))
        world.table.put(("001",), n="again")
        poll()
    assert world.equal()
    assert world.index.documents().keys() == {("001",), ("002",)}


def test_a_delete_that_commits_late_is_found() -> None:
    """Tombstones are a feed with a horizon of its own."""
    world = a_noted_world(1)
    with world.following() as poll:
        poll()
        late = world.table.begin()
        late.delete(("000",))
        for _ in range(20):
            world.table.put(("other",), n=1)
            poll()
        late.commit()
        poll()
    assert world.equal()


def test_deletes_of_a_time_when_nobody_polled_are_found() -> None:
    """They have a checkpoint of their own."""
    world = a_noted_world(3)
    world.worker().run_once()
    world.table.delete(("000",))
    world.clock.advance(3600)
    world.worker().run_once()
    assert world.equal()


def test_triggers_that_are_installed_later_work_without_a_restart() -> None:
    """The feed was empty until then."""
    world = a_world()
    world.table.put(("1",), n=1)
    with world.following() as poll:
        poll()
        world.table.triggers = True
        world.table.delete(("1",))
        poll()
    assert world.equal()


def test_tombstones_are_pruned_a_day_and_rewind_below_the_checkpoint() -> None:
    """Not before: a new process may start that much lower."""
    world = a_noted_world(2)
    with world.following() as poll:
        poll()
        world.table.delete(("000",))
        poll()
        for hour in range(27):
            world.clock.advance(3600)
            poll()
            if hour < 24:
                assert world.table.tombstones()
        assert world.table.tombstones() == []
    assert world.equal()


def test_tombstones_stay_while_an_index_that_is_kept_has_not_read_them() -> None:
    """The least checkpoint of all counts."""
    world = a_noted_world(1)
    with world.following() as poll:
        poll()
        behind = world.store.overview(world.record.name).checkpoints
        world.store.register(IndexRecord("kept-1", "kept", "kept", Phase.LIVE, 0, {}))
        kept = world.store.acquire("kept-1")
        kept.commit(Settlement(behind))
        world.table.delete(("000",))
        for _ in range(48):
            poll()
            world.clock.advance(3600)
        assert len(world.table.tombstones()) == 1

        kept.commit(Settlement(world.store.overview(world.record.name).checkpoints))
        world.clock.advance(3600)
        poll()
    assert world.table.tombstones() == []


def test_a_truncated_table_is_compared_with_its_index_beside_the_polls() -> None:
    """No tombstone names the rows that are gone; however many they are, they go."""
    world = a_noted_world(50)
    done = Event()
    world.events.on_reconciled = done.set
    with world.following() as poll:
        poll()
        world.table.truncate()
        world.table.put(("new",), n=1)
        poll()
        for _ in range(200):
            if done.wait(0.05):
                break
            poll()
    assert world.equal()
    assert world.record.reconcile is None
    assert world.events.reconciliations[0].repaired == 50


def test_triggers_that_are_installed_have_what_went_before_found() -> None:
    """By one comparison, where it is little."""
    world = a_loaded_world(50)
    world.table.delete(("000",))
    world.table.install_triggers()
    world.worker().run_once()
    assert world.equal()
    assert (world.record.reconcile, world.record.verify_needed) == (None, None)


def test_much_that_went_without_a_trace_is_left_to_verify() -> None:
    """The table may be that of a database which is still to be restored. It is compared once, and polls go on."""
    world = a_loaded_world(50)
    for i in range(40):
        world.table.delete((f"{i:03}",))
    world.table.install_triggers()
    done = Event()
    world.events.on_reconciled = done.set
    with world.following() as poll:
        for _ in range(200):
            poll()
            if done.wait(0.05):
                break
        world.table.put(("new",), n=1)
        poll()
    for _ in range(2):
        world.clock.advance(3600)
        world.worker().run_once()
    assert len(world.index.documents()) == 51
    [found] = world.events.reconciliations
    assert found.refused is not None
    assert world.record.reconcile is None
    reason = world.record.verify_needed or ""
    assert reason.startswith("40 of 50 documents have no row any more")
    assert f"syncer verify {world.pipeline.name} --repair --force" in reason


def test_a_truncate_empties_the_index_though_another_comparison_was_asked_for() -> None:
    """Before it or after it: both are one, unless it has come to its end."""
    for before in (True, False):
        world = a_loaded_world(20)
        if before:
            world.table.install_triggers()
        world.table.triggers = True
        world.table.truncate()
        if not before:
            world.table.install_triggers()
        world.worker().run_once()
        assert world.equal()
        world.table.put(("new",), n=1)
        world.worker().run_once()
        world.table.triggers = False
        world.table.delete(("new",))
        world.table.install_triggers()
        world.clock.advance(60)
        world.worker().run_once()
        assert not world.equal()


def test_a_comparison_that_is_asked_for_outlives_the_process() -> None:
    """It is committed with the checkpoint that passes the truncate."""
    world = a_noted_world(5)
    world.worker().run_once()
    world.table.truncate()
    with world.following() as poll:
        poll()
    assert world.record.reconcile is not None
    world.clock.advance(3600)
    world.worker().run_once()
    assert world.equal()
    assert world.record.reconcile is None


def test_a_comparison_that_fails_is_begun_again() -> None:
    """And is told of."""
    world = a_noted_world(5)
    failed, done = Event(), Event()
    world.events.on_trouble = failed.set
    world.events.on_reconciled = done.set
    with world.following() as poll:
        poll()
        world.table.truncate()
        world.outage = SinkUnavailable("away")
        poll()
        while not failed.wait(0.02):
            poll()
        world.outage = None
        while not done.wait(0.02):
            poll()
    assert world.equal()
