"""Pauses, and dead letters that are tried again by themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from syncer.core.change import Write
from syncer.core.error import IndexReplaced, LeaseLost, Paused
from syncer.core.outcome import Deferred, Rejected
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


def test_dead_letters_that_are_due_keep_to_the_pace_and_to_the_waits() -> None:
    """A thousand of them must not press a server that is pressed."""
    world = a_world(batch_rows=10)
    keys = [(f"{i:03}",) for i in range(100)]
    sizes: dict[int, int] = {}

    def count(write: Write) -> None:
        sizes[write.version] = sizes.get(write.version, 0) + 1

    with world.following() as poll:
        poll()
        world.answers = dict.fromkeys(keys, Rejected("unreadable", "function raised", passing=True))
        for key in keys:
            world.table.put(key, n=1)
        poll()
        world.answers = dict.fromkeys(keys, Deferred("busy"))
        world.clock.advance(600)
        world.on_write = count
        assert poll().deferred > 0
        polls, began = 10, world.clock.monotonic()
        for _ in range(polls):
            poll()
        assert max(sizes.values()) <= 10
        assert world.clock.monotonic() - began > 3 * polls


def test_a_first_load_ends_when_the_pipeline_is_paused() -> None:
    """Not hours later; it goes on where it was."""
    world = a_world(batch_rows=10, range_rows=30)
    for i in range(300):
        world.table.put((f"{i:03}",), n=i)

    def pause(write: Write) -> None:
        if write.key == ("050",):
            world.store.pause("items", world.clock.now())

    world.on_write = pause
    with pytest.raises(Paused):
        world.worker().run_once()
    assert len(world.written) < 150
    world.store.resume("items")
    world.worker().run_once()
    assert world.equal()


def test_a_first_load_ends_when_the_lease_is_lost() -> None:
    """It sends nothing more."""
    world = a_world(batch_rows=10, range_rows=30)
    for i in range(300):
        world.table.put((f"{i:03}",), n=i)

    def lose(write: Write) -> None:
        if write.key == ("050",):
            world.store.expire(world.record.name)

    world.on_write = lose
    with pytest.raises(LeaseLost):
        world.worker().run_once()
    assert len(world.written) < 150
    world.on_write = lambda _write: None
    world.worker().run_once()
    assert world.equal()


def test_a_shard_that_is_away_does_not_end_the_session() -> None:
    """Its documents are put off, the others go on; and what it is when it comes back is looked at."""
    world = a_world()
    world.worker().run_once()
    known = world.index.identity
    with world.following() as poll:
        poll()
        world.index.identity = replace(known, histories={}, away=1)
        for _ in range(200):
            world.table.put(("1",), n=1)
            poll()
        assert world.equal()
    with world.following() as poll:
        poll()
        world.index.identity = replace(known, histories={"0": "another"})
        world.clock.advance(60)
        with pytest.raises(IndexReplaced):
            poll()


def test_why_documents_are_put_off_is_told_once_a_minute() -> None:
    """From the first poll that puts some off; how many, and what the server said of one."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.answers = dict.fromkeys([("1",), ("2",)], Deferred("index [items-1] blocked by: index write (api)"))
        world.table.put(("1",), n=1)
        world.table.put(("2",), n=1)
        began = world.clock.monotonic()
        told: list[float] = []
        while world.clock.monotonic() - began < 300:
            poll()
            if len(world.events.delays) > len(told):
                told.append(world.clock.monotonic() - began)
        assert world.events.delays == [(2, "index [items-1] blocked by: index write (api)")] * len(told)
        assert told[0] < 5
        assert all(60 <= later - earlier <= 120 for earlier, later in pairwise(told))
        world.answers = {}
        poll()  # what a poll has put off is told before the next one
        lines = len(world.events.delays)
        for _ in range(3):
            world.clock.advance(300)
            poll()
        assert len(world.events.delays) == lines
    assert world.equal()


def test_polls_that_do_not_catch_up_say_once_a_minute_how_far_behind_they_are() -> None:
    """A rebuild waits for them before it compares; and a daemon that does catch up says nothing."""
    world = a_world(batch_rows=1, pages=1)
    with world.following() as poll:
        poll()
        for i in range(20):
            world.table.put((f"{i:02}",), n=i)
            world.clock.advance(60)
        while poll().more:
            world.clock.advance(10)
        assert len(world.events.lags) == 3
        assert world.events.lags == sorted(world.events.lags, reverse=True)
        assert 800 < world.events.lags[0] < 1200
        world.clock.advance(600)
        poll()
        assert len(world.events.lags) == 3
