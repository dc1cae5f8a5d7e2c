"""Processes that wait for a pipeline's lease let each other know."""

from __future__ import annotations

from tests.contract.shared_state import PostgresState, SharedState, Store


def test_nobody_waits_at_first(store: Store) -> None:
    """None is not nought leases."""
    assert store.asking("items") is None


def test_who_waits_is_known_to_the_others(state: SharedState, store: Store) -> None:
    """With the leases it has, for this pipeline alone."""
    store.ask("items", 3)
    assert state.open().asking("items") == 3
    assert state.open().asking("others") is None


def test_what_is_said_last_counts(state: SharedState, store: Store) -> None:
    """However often the same is said."""
    for leases in (3, 0, 0, 0, 2):
        store.ask("items", leases)
    assert state.open().asking("items") == 2
    store.ask("items", None)
    assert state.open().asking("items") is None


def test_of_several_the_one_with_the_fewest_counts(postgres_state: PostgresState) -> None:
    """Each speaks for itself."""
    first, second = postgres_state.open(), postgres_state.open()
    first.ask("items", 5)
    second.ask("items", 2)
    assert first.asking("items") == 2
    second.ask("items", None)
    assert second.asking("items") == 5


def test_who_is_gone_waits_no_longer(postgres_state: PostgresState) -> None:
    """It ends with the session."""
    store = postgres_state.open()
    store.ask("items", 0)
    store.close()
    postgres_state.wait_for("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')")
    assert postgres_state.open().asking("items") is None
