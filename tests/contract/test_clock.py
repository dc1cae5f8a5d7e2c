"""Clocks."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from syncer.adapters.clock import SystemClock
from syncer.adapters.memory.clock import MemoryClock

AnyClock = SystemClock | MemoryClock


@pytest.fixture(name="clock", params=[SystemClock, MemoryClock])
def _clock(request: pytest.FixtureRequest) -> AnyClock:
    make: Callable[[], AnyClock] = request.param
    return make()


def test_time_passes_while_waiting(clock: AnyClock) -> None:
    """On both of its scales, in UTC."""
    now, monotonic = clock.now(), clock.monotonic()
    assert clock.wait(0.01) is False
    assert clock.wait(-1) is False
    assert clock.monotonic() - monotonic >= 0.009
    assert clock.now() - now >= timedelta(milliseconds=9)
    assert clock.now().utcoffset() == timedelta()


def test_nobody_waits_once_it_is_stopped(clock: AnyClock) -> None:
    """However often it is stopped, and however often somebody waits."""
    assert not clock.stopping()
    clock.stop()
    clock.stop()
    before = clock.monotonic()
    assert clock.stopping()
    assert [clock.wait(1e9) for _ in range(3)] == [True] * 3
    assert clock.monotonic() - before < 60


def test_all_who_wait_are_woken() -> None:
    """Pipelines run in threads."""
    clock = SystemClock()
    ready = threading.Barrier(4)

    def wait() -> bool:
        ready.wait()
        return clock.wait(60)

    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(wait) for _ in range(3)]
        ready.wait()
        clock.stop()
        assert all(each.result() for each in waiting)


def test_an_alarm_ends_one_wait(clock: AnyClock) -> None:
    """Also the next one, where nobody waits; however often it rings until then."""
    alarm = clock.alarm()
    assert alarm.rung_at < clock.monotonic()
    before = clock.monotonic()
    alarm.ring(before)
    alarm.ring(before + 1)
    assert alarm.wait(1e9) is True
    assert clock.monotonic() - before < 60
    assert alarm.rung_at == before + 1
    assert alarm.wait(0.01) is False
    assert clock.monotonic() - before >= 0.009
    assert alarm.wait(-1) is False


def test_nobody_waits_for_an_alarm_once_the_clock_is_stopped(clock: AnyClock) -> None:
    """Whether it rings or not."""
    alarm, silent = clock.alarm(), clock.alarm()
    clock.stop()
    alarm.ring(0)
    before = clock.monotonic()
    assert [each.wait(1e9) for each in (alarm, silent, alarm, silent)] == [True] * 4
    assert clock.monotonic() - before < 60


def test_who_waits_for_an_alarm_hears_it_and_the_stop() -> None:
    """Pipelines wait on threads of their own."""
    clock = SystemClock()
    rung, silent = clock.alarm(), clock.alarm()
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.submit(rung.wait, 60), threads.submit(silent.wait, 60)
        rung.ring(1)
        assert one.result() is True
        assert not other.done()
        clock.stop()
        assert other.result() is True


@pytest.fixture(name="alarm")
def _alarm() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Call it with what to do on each SIGALRM; they come every other millisecond."""
    before = signal.getsignal(signal.SIGALRM)

    def start(do: Callable[[], None]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: do())
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)

    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_signal_handler_may_stop_it_at_any_moment(alarm: Callable[[Callable[[], None]], None]) -> None:
    """Also in the midst of wait() on the same thread, where Event.set() would block for ever."""
    clock = SystemClock()
    alarm(lambda: clock.stop())
    end = time.monotonic() + 1
    while time.monotonic() < end:
        clock = SystemClock()
        bell = clock.alarm()
        while not (clock.wait(0.00001) or bell.wait(0.00001)):
            bell.ring(0)
            assert bell.wait(1)


def test_a_clock_in_memory_can_be_set_while_no_time_passes() -> None:
    """Clocks of servers are."""
    clock = MemoryClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(10)
    clock.step(-60)
    assert clock.now() == datetime(2025, 12, 31, 23, 59, 10, tzinfo=UTC)
    assert clock.monotonic() == 10
