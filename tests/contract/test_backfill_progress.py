"""The progress of backfills."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from syncer.core.error import LeaseHeld, LeaseLost
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.settlement import Settlement
from syncer.ports import Lease
from tests.contract.examples import INDEX, ODD_KEYS, RECORD, a_letter
from tests.contract.shared_state import SharedState, Store


def test_a_backfill_goes_on_where_it_was(state: SharedState, lease: Lease) -> None:
    """Ranges, positions and what was in flight outlive the process; a finished or newly planned one is gone."""
    ranges = [KeyRange(0, None, ("b", "1"), 10), KeyRange(1, ("b", "1"), None, 5)]
    progress = state.open().backfill(INDEX)
    assert list(progress.ranges()) == []
    progress.plan([KeyRange(number, None, None, 0) for number in range(9)])
    progress.plan(ranges)
    moved = replace(ranges[0], position=("a", "9"), in_flight=(("a", "9"), ("b", "0")), settled_rows=7)
    done = replace(ranges[1], done=True)
    assert progress.advance(moved, Settlement(dead_letters=[a_letter(("a", "3"), 1)])) == 1
    progress.advance(done, Settlement())
    progress.release()
    again = state.open().backfill(INDEX)
    assert list(again.ranges()) == [moved, done]
    again.finish()
    assert list(again.ranges()) == []
    again.release()


def test_a_backfill_has_one_holder(state: SharedState, lease: Lease) -> None:
    """A second process is refused while it runs; the lease is another thing."""
    progress = state.open().backfill(INDEX)
    with pytest.raises(LeaseHeld):
        state.open().backfill(INDEX)
    lease.draw()
    progress.release()
    state.open().backfill(INDEX).release()


def test_who_lost_a_backfill_cannot_change_it(state: SharedState, store: Store) -> None:
    """Neither its ranges nor dead letters."""
    store.register(RECORD)
    part = KeyRange(0, None, None, 10)
    progress = store.backfill(INDEX)
    progress.plan([part])
    state.expire(INDEX)
    uses: list[Callable[[], object]] = [
        lambda: progress.advance(replace(part, done=True), Settlement(dead_letters=[a_letter(("1",), 1)])),
        lambda: progress.plan([]),
        progress.finish,
        progress.ranges,
    ]
    for use in uses:
        with pytest.raises(LeaseLost):
            use()
    progress.release()
    again = store.backfill(INDEX)
    assert list(again.ranges()) == [part]
    assert store.overview(INDEX).dead_letters == 0
    again.release()


def test_ranges_are_advanced_by_several_threads(store: Store, lease: Lease) -> None:
    """Each its own range, with letters of the same keys, beside the poller's commits."""
    progress = store.backfill(INDEX)
    parts = [KeyRange(number, None, None, 50) for number in range(4)]
    progress.plan(parts)
    keys: list[Key] = [(str(number),) for number in range(20)]

    def work(thread: int) -> None:
        ordered = keys if thread % 2 else keys[::-1]
        for step in range(10):
            letters = Settlement(dead_letters=[a_letter(key, step) for key in ordered])
            good = Settlement(settled=dict.fromkeys(ordered, step))
            if thread < 4:
                progress.advance(replace(parts[thread], settled_rows=step), letters if step % 2 else good)
            elif thread == 4:
                lease.commit(letters if step % 2 else good)
            else:
                store.record(INDEX, letters if step % 2 else good)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    assert [part.settled_rows for part in progress.ranges()] == [9] * 4
    progress.release()


def test_keys_of_any_characters_survive(store: Store, lease: Lease) -> None:
    """In dead letters and in ranges, one by one."""
    assert lease.commit(Settlement(dead_letters=[a_letter(key, 1) for key in ODD_KEYS])) == len(ODD_KEYS)
    assert {letter.key for letter in store.dead_letters(INDEX)} == set(ODD_KEYS)
    progress = store.backfill(INDEX)
    ranges = [KeyRange(number, key, key, 1, key, (key, key), 1, done=True) for number, key in enumerate(ODD_KEYS)]
    progress.plan(ranges)
    assert list(progress.ranges()) == ranges
    progress.release()
    assert lease.commit(Settlement(settled=dict.fromkeys(ODD_KEYS, 2))) == 0
