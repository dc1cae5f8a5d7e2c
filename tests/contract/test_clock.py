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
        while not clock.wait(0.00001):
            pass


def test_a_clock_in_memory_can_be_set_while_no_time_passes() -> None:
    """Clocks of servers are."""
    clock = MemoryClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(10)
    clock.step(-60)
    assert clock.now() == datetime(2025, 12, 31, 23, 59, 10, tzinfo=UTC)
    assert clock.monotonic() == 10
