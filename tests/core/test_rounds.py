"""When fan-outs have gone round."""

from __future__ import annotations

from dataclasses import replace

from syncer.core.fan_out import FanOut
from syncer.core.rounds import Rounds

ADA, BO = FanOut("author", ("ada",)), FanOut("author", ("bo",))


def turn(rounds: Rounds, fan_out: FanOut, left: FanOut | None) -> None:
    rounds.next(fan_out)
    rounds.note({fan_out: left}, [])


def test_those_that_others_have_left_count_too() -> None:
    """They take turns: the second turn of one tells that all have been met, though it has begun again meanwhile."""
    rounds = Rounds()
    rounds.note({}, [ADA])
    turn(rounds, ADA, replace(ADA, after=("k1",)))
    assert not rounds.complete
    turn(rounds, BO, replace(BO, after=("k1",)))
    turn(rounds, replace(ADA, after=("k1",)), None)
    assert not rounds.complete
    turn(rounds, replace(BO, after=("k1",)), None)
    assert rounds.complete


def test_one_that_begins_again_all_the_time_has_gone_round_at_its_second_end() -> None:
    """Where the first one is, depends on where it was met."""
    rounds = Rounds()
    for place, ended in (("k5", False), ("k9", True), ("k3", False), ("k9", True)):
        assert not rounds.complete
        was = replace(ADA, after=(place,), again=("k1",))
        turn(rounds, was, was.advanced(None if ended else ("k6",)))
        rounds.note({}, [ADA])
    assert rounds.complete


def test_there_is_nothing_to_wait_for_where_there_is_none() -> None:
    """Once that is known."""
    rounds = Rounds()
    assert not rounds.complete
    rounds.next(None)
    assert rounds.complete
