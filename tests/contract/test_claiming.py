"""Who wants an index's lease for a swap lets its holder know."""

from __future__ import annotations

from tests.contract.examples import INDEX
from tests.contract.shared_state import PostgresState, SharedState, Store


def test_a_claim_is_known_to_the_others_until_it_is_taken_back(state: SharedState, store: Store) -> None:
    """However often it is repeated; for this index alone."""
    assert not store.claimed(INDEX)
    for _ in range(3):
        store.claim(INDEX, wanted=True)
    assert state.open().claimed(INDEX)
    assert not state.open().claimed("items-2")
    store.claim(INDEX, wanted=False)
    assert not state.open().claimed(INDEX)
    store.claim(INDEX, wanted=False)


def test_a_claim_and_a_wait_for_a_lease_are_not_taken_for_each_other(store: Store) -> None:
    """Even where pipeline and index have one name."""
    store.claim("items", wanted=True)
    assert store.asking("items") is None
    store.ask("items", 2)
    store.claim("items", wanted=False)
    assert store.asking("items") == 2
    assert not store.claimed("items")


def test_each_claims_for_itself(postgres_state: PostgresState) -> None:
    """What one takes back, another may still want."""
    first, second = postgres_state.open(), postgres_state.open()
    first.claim(INDEX, wanted=True)
    second.claim(INDEX, wanted=True)
    second.claim(INDEX, wanted=False)
    assert second.claimed(INDEX)


def test_a_claim_is_forgotten_with_the_process(postgres_state: PostgresState) -> None:
    """It ends with the session."""
    store = postgres_state.open()
    store.claim(INDEX, wanted=True)
    store.close()
    postgres_state.wait_for("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')")
    assert not postgres_state.open().claimed(INDEX)
