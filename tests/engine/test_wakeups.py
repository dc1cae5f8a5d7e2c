"""Polls that are woken: sooner than their interval, never less often, and no more often than a bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from syncer.adapters.memory.clock import MemoryClock
from syncer.adapters.memory.wakeups import MemoryWakeups
from syncer.core.error import SinkUnavailable
from syncer.core.outcome import Deferred
from syncer.engine.following import LEAST_SECONDS
from syncer.engine.polled import Polled
from tests.builders import World, a_world

INTERVAL = 30.0


@dataclass
class Woken:
    """A world whose pipeline is woken by hand, and polls seldom by itself."""

    world: World
    wakeups: MemoryWakeups

    def pause_before(self, poll: Callable[[], Polled]) -> float:
        """Return how long it rests before it polls once more."""
        before = self.world.clock.monotonic()
        poll()
        return self.world.clock.monotonic() - before


@pytest.fixture(name="woken")
def _woken() -> Woken:
    world = a_world()
    wakeups = MemoryWakeups(world.clock)
    limits = replace(world.pipeline.limits, interval_seconds=INTERVAL)
    world.pipeline = replace(world.pipeline, wakeups=wakeups, limits=limits)
    world.table.put(("a",))
    return Woken(world, wakeups)


def test_a_commit_that_is_told_is_delivered_at_once(woken: Woken) -> None:
    """After the least pause; one that is not told, at the interval."""
    with woken.world.following() as poll:
        poll()
        woken.world.table.put(("b",))
        woken.wakeups.wake()
        assert woken.pause_before(poll) == pytest.approx(LEAST_SECONDS)
        assert woken.world.equal()
        woken.world.table.put(("c",))
        assert woken.pause_before(poll) == pytest.approx(INTERVAL)
        assert woken.world.equal()


def test_word_during_a_poll_is_not_lost(woken: Woken) -> None:
    """What the poll has read by then may lack it; and one wakeup makes one poll."""
    with woken.world.following() as poll:
        woken.world.events.on_poll = woken.wakeups.wake
        poll()
        woken.world.events.on_poll = lambda: None
        assert woken.pause_before(poll) == pytest.approx(LEAST_SECONDS)
        assert woken.pause_before(poll) == pytest.approx(INTERVAL)


def test_a_busy_table_leaves_time_to_others(woken: Woken) -> None:
    """However often it changes."""
    with woken.world.following() as poll:
        poll()
        for _ in range(5):
            woken.wakeups.wake()
            woken.wakeups.wake()
            assert woken.pause_before(poll) == pytest.approx(LEAST_SECONDS)


def test_an_interval_below_the_least_pause_stays(woken: Woken) -> None:
    """Whoever asks for such polls has them."""
    limits = replace(woken.world.pipeline.limits, interval_seconds=LEAST_SECONDS / 5)
    woken.world.pipeline = replace(woken.world.pipeline, limits=limits)
    with woken.world.following() as poll:
        poll()
        assert woken.pause_before(poll) == pytest.approx(LEAST_SECONDS / 5)


def test_what_elasticsearch_asks_for_is_waited_out(woken: Woken) -> None:
    """It is busy, and a commit does not change that."""
    with woken.world.following() as poll:
        poll()
        woken.world.answers[("b",)] = Deferred("busy", retry_after=7.0)
        woken.world.table.put(("b",))
        woken.wakeups.wake()
        assert poll().deferred == 1
        woken.wakeups.wake()
        assert woken.pause_before(poll) >= 7.0


def test_nobody_is_woken_who_does_not_poll(woken: Woken) -> None:
    """When the lease is given back, and after an error."""
    alarms = woken.wakeups.alarms
    with woken.world.following() as poll:
        poll()
        assert len(alarms) == 1
    assert alarms == []
    woken.world.table.put(("b",))
    woken.world.outage = SinkUnavailable("away")
    with woken.world.following() as poll, pytest.raises(SinkUnavailable):
        poll()
    assert alarms == []


def test_a_stop_ends_the_pause(woken: Woken) -> None:
    """As it does without wakeups."""
    clock: MemoryClock = woken.world.clock
    with woken.world.following() as poll:
        poll()
        before = clock.monotonic()
        woken.world.events.on_poll = clock.stop
        poll()
        with pytest.raises(StopIteration):
            poll()
        assert clock.monotonic() - before <= INTERVAL
