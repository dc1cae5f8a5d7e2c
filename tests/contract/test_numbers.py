"""The numbers that writes carry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from syncer.ports import Lease, StateStore
from tests.contract.examples import INDEX, RECORD
from tests.contract.shared_state import SharedState, Store


def test_numbers_increase_over_stores_leases_and_reconnections(state: SharedState) -> None:
    """† One sequence for everybody, of which no session keeps a stock."""
    stores = [state.open() for _ in range(3)]
    stores[0].register(RECORD)
    drawn: list[int] = []
    for _ in range(3):
        lease = stores[0].acquire(INDEX)
        drawn += [numbers.draw() for numbers in (*stores, lease)]
        lease.release()
        state.open().draw()
    assert drawn == sorted(set(drawn))


def test_no_number_is_drawn_twice(state: SharedState) -> None:
    """By any number of threads, of one store or of several."""
    stores: list[StateStore] = [state.open(), state.open()]

    def draw(thread: int) -> list[int]:
        return [stores[thread % 2].draw() for _ in range(100)]

    with ThreadPoolExecutor(6) as threads:
        drawn = list(threads.map(draw, range(6)))
    assert len(set(chain(*drawn))) == 600
    assert all(numbers == sorted(numbers) for numbers in drawn)


def test_numbers_can_be_raised_and_not_lowered(store: Store, lease: Lease) -> None:
    """By those who hold the lease, and by others."""
    for numbers, other in ((store, lease), (lease, store)):
        target = numbers.draw() + 10**12
        numbers.raise_above(target)
        drawn = other.draw()
        assert drawn > target
        numbers.raise_above(target)
        numbers.raise_above(1)
        assert numbers.draw() > drawn
