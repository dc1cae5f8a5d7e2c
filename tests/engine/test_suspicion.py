"""Rows that the server fails on, and a server that fails."""

from __future__ import annotations

import pytest

from syncer.core.error import SinkUnavailable
from syncer.core.key import Key
from syncer.core.outcome import Applied, Deferred, Rejected
from syncer.engine.suspicion import Suspicion
from tests.builders import a_world

FAILED = Deferred("null_pointer_exception", suspect=True)


def attempts_until_rejected(suspicion: Suspicion, key: Key, *, others: bool) -> int:
    for attempt in range(1, 100):
        if isinstance(suspicion.judge(key, FAILED), Rejected):
            return attempt
        if others:
            suspicion.judge(("good",), Applied())
    raise AssertionError("never rejected")


def test_a_row_that_fails_while_others_go_through_is_rejected_after_a_few_attempts() -> None:
    """The fault is its own; the cause may pass, so it is tried again by itself."""
    assert attempts_until_rejected(Suspicion(), ("1",), others=True) == 5


def test_a_row_that_fails_alone_is_given_more_time() -> None:
    """With nothing to compare it with."""
    assert attempts_until_rejected(Suspicion(), ("1",), others=False) == 12


def test_when_everything_fails_nothing_is_rejected() -> None:
    """An outage must not bury a table in dead letters."""
    suspicion = Suspicion()
    for _ in range(100):
        for key in (("1",), ("2",)):
            assert suspicion.judge(key, FAILED) == FAILED


def test_a_row_that_recovers_begins_anew() -> None:
    """Its failures are forgotten."""
    suspicion = Suspicion()
    for _ in range(4):
        suspicion.judge(("1",), FAILED)
    suspicion.judge(("1",), Applied())
    assert attempts_until_rejected(suspicion, ("1",), others=True) == 5


def test_a_poisonous_row_ends_as_a_dead_letter_and_holds_nothing_up() -> None:
    """It is not put off for ever, and is delivered by itself when the cause has passed."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.answers[("1",)] = FAILED
        world.table.put(("1",), n=1)
        for turn in range(10):
            world.table.put(("2",), n=turn)
            poll()
        [letter] = world.dead_letters()
        assert (letter.key, letter.passing) == (("1",), True)
        checkpoint = world.store.overview(world.record.name).checkpoints[world.table.name]
        world.clock.advance(30)
        poll()
        assert world.store.overview(world.record.name).checkpoints[world.table.name] != checkpoint

        del world.answers[("1",)]
        world.clock.advance(3600)
        poll()
    assert world.dead_letters() == []
    assert world.equal()


def test_a_backfill_gives_up_a_poisonous_row_and_goes_on() -> None:
    """After as many attempts as it makes, and only where others of the batch went through."""
    world = a_world()
    for i in range(30):
        world.table.put((f"{i:02}",), n=i)
    world.answers[("07",)] = FAILED
    report = world.worker().run_once()
    assert (report.applied, report.rejected) == (29, 1)
    assert [letter.key for letter in world.dead_letters()] == [("07",)]


def test_a_backfill_does_not_reject_a_table_because_the_server_fails() -> None:
    """It ends with the server's fault."""
    world = a_world()
    keys = [(f"{i:02}",) for i in range(30)]
    for key in keys:
        world.table.put(key, n=1)
    world.answers = dict.fromkeys(keys, FAILED)
    with pytest.raises(SinkUnavailable):
        world.worker().run_once()
    assert world.dead_letters() == []


def test_many_rows_that_fail_at_once_are_a_part_of_the_index_that_fails() -> None:
    """One shard of several: its rows are put off, though those of the others go through."""
    suspicion = Suspicion()
    for turn in range(30):
        suspicion.judge(("good", str(turn)), Applied())
        for key in range(11):
            assert suspicion.judge((str(key),), FAILED) == FAILED


def test_a_first_load_of_a_single_poisonous_row_comes_to_its_end() -> None:
    """There is no other row to compare it with."""
    world = a_world()
    world.table.put(("1",), n=1)
    world.answers[("1",)] = FAILED
    assert world.worker().run_once().rejected == 1
    assert [letter.key for letter in world.dead_letters()] == [("1",)]
