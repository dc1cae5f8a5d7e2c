"""The state store in its two forms."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncer.ports import Lease
from tests.contract.examples import BUILDING, BUILT, INDEX, RECORD
from tests.contract.shared_state import MemoryState, PostgresState, SharedState, Store


@pytest.fixture(name="postgres_state")
def _postgres_state(postgres_url: str) -> Iterator[PostgresState]:
    state = PostgresState(postgres_url)
    yield state
    state.close()


@pytest.fixture(name="state", params=["memory", "postgres"])
def _state(request: pytest.FixtureRequest) -> SharedState:
    if request.param == "memory":
        return MemoryState()
    state: PostgresState = request.getfixturevalue("postgres_state")
    return state


@pytest.fixture(name="store")
def _store(state: SharedState) -> Store:
    return state.open()


@pytest.fixture(name="lease")
def _lease(store: Store) -> Iterator[Lease]:
    store.register(RECORD)
    lease = store.acquire(INDEX)
    yield lease
    lease.release()


@pytest.fixture(name="new")
def _new(store: Store) -> Iterator[Lease]:
    """The lease of an index that is built."""
    store.register(BUILDING)
    lease = store.acquire(BUILT)
    yield lease
    lease.release()
