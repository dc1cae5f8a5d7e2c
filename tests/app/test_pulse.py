"""Whether pipelines move."""

from __future__ import annotations

from datetime import UTC, datetime

from syncer.adapters.memory.clock import MemoryClock
from syncer.app.pulse import Pulse
from syncer.core.report import Report
from syncer.engine.telemetry import Step

LIMIT = 600.0


def pulse() -> tuple[Pulse, MemoryClock]:
    clock = MemoryClock(datetime(2026, 5, 4, tzinfo=UTC))
    return Pulse(clock), clock


def test_a_pipeline_in_no_step_is_never_stuck() -> None:
    """It rests, stands by, is paused, or waits for a server: for days, if need be."""
    beats, clock = pulse()
    with beats.telemetry("articles").step(Step.POLL):
        pass
    clock.advance(1_000_000)
    assert beats.stuck(LIMIT) == []


def test_a_step_that_neither_ends_nor_has_others_within_it_is_stuck() -> None:
    """From the limit on, and only its own pipeline."""
    beats, clock = pulse()
    beats.telemetry("others")
    with beats.telemetry("articles").step(Step.POLL):
        clock.advance(LIMIT - 1)
        assert beats.stuck(LIMIT) == []
        clock.advance(1)
        assert beats.stuck(LIMIT) == ["articles"]
    assert beats.stuck(LIMIT) == []


def test_a_long_poll_of_short_steps_is_alive() -> None:
    """By the steps of other threads, and by batches that come to their end."""
    beats, clock = pulse()
    telemetry = beats.telemetry("articles")
    with telemetry.step(Step.POLL):
        for _ in range(5):
            clock.advance(LIMIT / 2)
            with beats.telemetry("articles").step(Step.WRITE, 3):
                clock.advance(LIMIT / 2)
                assert beats.stuck(LIMIT) == []
        clock.advance(LIMIT / 2)
        telemetry.delivered([], Report())
        clock.advance(LIMIT / 2)
        assert beats.stuck(LIMIT) == []


def test_a_step_that_fails_has_ended() -> None:
    """What follows is a wait for the next attempt."""
    beats, clock = pulse()
    try:
        with beats.telemetry("articles").step(Step.WRITE):
            raise ConnectionError
    except ConnectionError:
        clock.advance(LIMIT)
    assert beats.stuck(LIMIT) == []


def test_a_batch_that_is_embedded_for_long_is_alive() -> None:
    """A restart would begin it anew, again and again."""
    beats, clock = pulse()
    articles = beats.telemetry("articles")
    with articles.step(Step.POLL):
        with articles.step(Step.EMBED):
            clock.advance(10 * LIMIT)
            assert beats.stuck(LIMIT) == []
        clock.advance(LIMIT)
        assert beats.stuck(LIMIT) == ["articles"]
