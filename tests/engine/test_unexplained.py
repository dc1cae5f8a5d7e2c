"""Which of the differences that a repair leaves are explained."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from syncer.core.outcome import Applied, Rejected
from tests.engine.comparing import Busy, a_loaded_world, busy, plant, verified
from tests.engine.visible_documents import of_visible_rows


def test_what_was_mended_is_no_difference_any_more() -> None:
    """Delivered and removed."""
    world = a_loaded_world()
    plant(world)
    found = verified(world, repair=True)
    assert (found.repaired, found.remaining, found.rejected, found.unexplained) == (7, 0, 0, 0)


def test_a_row_that_the_index_refuses_is_explained_by_its_dead_letter() -> None:
    """It does not keep an index from being searched."""
    world = a_loaded_world()
    plant(world)
    world.answers[("001",)] = Rejected("refused", "bad")
    found = verified(world, repair=True)
    assert (found.remaining, found.rejected, found.unexplained) == (1, 1, 0)
    assert not found.equal


def test_an_unreadable_row_is_explained_by_itself() -> None:
    """Also where no poll has met it yet, as one that is stamped ahead of the clock: nobody could index it."""
    world = a_loaded_world()
    world.pipeline = of_visible_rows(world.pipeline)
    world.table.put(("001",), world.clock.now() + timedelta(hours=1), n=1, unreadable=True)
    sides = replace(busy(world, lambda _look: None), documents=world.pipeline.reader().documents)
    found = verified(world, sides, repair=True)
    assert (found.unreadable, found.rejected, found.unexplained) == (1, 0, 0)
    assert not found.equal


def test_a_row_that_is_delivered_and_does_not_arrive_is_not_explained() -> None:
    """Something is wrong with the index, or somebody else writes to it."""
    world = a_loaded_world()
    plant(world)

    world.answers[("002",)] = Applied(created=True)
    found = verified(world, repair=True)
    assert (found.remaining, found.rejected, found.unexplained) == (1, 0, 1)


def test_a_row_that_changes_all_the_time_is_not_held_against_the_index() -> None:
    """Nothing can be told of it."""
    world = a_loaded_world()
    with world.following() as poll:
        poll()

        def act(look: int) -> None:
            # Delivered at each look, and changed again before the row is read.
            world.table.put(("001",), n=1000 + look)
            poll()
            world.table.put(("001",), n=2000 + look)

        world.table.put(("001",), n=999)
        found = verified(world, busy(world, act), repair=True, wait=lambda _seconds: False)
    assert (found.moving, found.unexplained) == (1, 0)


def test_a_refused_row_that_is_mended_and_written_again_is_not_held_against_the_index() -> None:
    """At the last look its dead letter is closed, and what was written after that is not delivered yet."""
    world = a_loaded_world()
    with world.following() as poll:
        world.answers[("001",)] = Rejected("refused", "bad")
        world.table.put(("001",), n=999)
        poll()

        def act(look: int) -> None:
            if look == 11:
                del world.answers[("001",)]
                world.table.put(("001",), n=1000)
                poll()
                world.table.put(("001",), n=2000)

        sides = busy(world, act)
        found = verified(world, sides, repair=True, wait=lambda _seconds: False)
    assert isinstance(sides.index, Busy)
    assert sides.index.looks == 11
    assert (found.remaining, found.moving, found.unexplained) == (1, 1, 0)
