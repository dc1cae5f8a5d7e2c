"""Pauses, and dead letters that are tried again by themselves."""

from __future__ import annotations

import pytest

from syncer.core.error import Paused
from syncer.core.outcome import Rejected
from tests.builders import a_world


def test_a_paused_pipeline_is_not_followed_until_it_is_resumed() -> None:
    """The daemon stays, gives the lease back, and catches up afterwards."""
    world = a_world()
    world.worker().run_once()
    world.store.pause("items", world.clock.now())
    world.table.put(("1",), n=1)
    with pytest.raises(Paused, match="paused since"):
        world.worker().run_once()
    assert world.index.documents() == {}

    def on_wait(waited: int) -> None:
        if waited == 3:
            world.store.resume("items")

    turns = iter(range(100))
    world.events.on_trouble = lambda: on_wait(next(turns))
    world.events.on_poll = world.clock.stop
    world.worker().run()
    assert world.equal()
    assert {type(error) for error in world.events.trouble} == {Paused}


def test_a_pause_ends_the_session_that_follows_and_frees_the_lease() -> None:
    """Within a second or two."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.store.pause("items", world.clock.now())
        with pytest.raises(Paused):
            poll()
    world.store.acquire(world.record.name).release()


def test_a_row_whose_cause_may_pass_is_tried_again_by_itself_ever_more_rarely() -> None:
    """Nobody has to change the row or to replay it."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.answers[("1",)] = Rejected("unreadable", "function raised", passing=True)
        world.table.put(("1",), n=1)
        poll()
        for _ in range(720):
            world.clock.advance(9)
            poll()
        [letter] = world.dead_letters()
        assert 5 <= letter.attempts <= 9, "1 + 2 + 4 + … + 60 minutes"
        world.answers = {}
        world.clock.advance(3600)
        poll()
    assert world.dead_letters() == []
    assert world.equal()


def test_a_row_that_would_be_refused_again_is_left_alone() -> None:
    """A mapping does not change by waiting."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.answers[("1",)] = Rejected("document_parsing_exception", "not a number")
        world.table.put(("1",), n=1)
        for _ in range(500):
            world.clock.advance(9)
            poll()
    assert [letter.attempts for letter in world.dead_letters()] == [1]
