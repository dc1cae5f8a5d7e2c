"""A succession in Postgres: one transaction, which others may meet and which may fail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from syncer.core.error import FatalError, LeaseLost
from syncer.ports import Lease
from tests.contract.examples import BUILT, INDEX, NOON, RECORD
from tests.contract.roles import AFTER, BEFORE, roles
from tests.contract.shared_state import PostgresState


@pytest.fixture(name="state")
def _state(postgres_state: PostgresState) -> PostgresState:
    return postgres_state


def test_an_epoch_that_begins_meanwhile_is_seen(postgres_state: PostgresState, lease: Lease, new: Lease) -> None:
    """† The succession waits for whoever is taking the old lease, and fails then."""
    with ThreadPoolExecutor(1) as thread:
        with psycopg.connect(postgres_state.url) as other:
            other.execute("UPDATE syncer.indices SET epoch = epoch + 1 WHERE name = %s", (INDEX,))
            succeeding = thread.submit(new.succeed, lease, NOON)
            postgres_state.wait_for("SELECT 1 FROM pg_locks WHERE NOT granted")
        with pytest.raises(LeaseLost, match=INDEX):
            succeeding.result()
    assert roles(postgres_state.open()) == BEFORE


def test_who_registers_waits_for_a_succession(postgres_state: PostgresState, new: Lease) -> None:
    """And is told of the index that is followed then."""
    store = postgres_state.open()
    with ThreadPoolExecutor(2) as threads:
        with psycopg.connect(postgres_state.url) as other:
            other.execute("SELECT FROM syncer.indices WHERE name = %s FOR UPDATE", (BUILT,))
            succeeding = threads.submit(new.succeed, None, NOON)
            postgres_state.wait_for("SELECT 1 FROM pg_locks WHERE NOT granted")
            registering = threads.submit(store.register, RECORD)
            postgres_state.wait_for("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
        succeeding.result()
    assert registering.result().name == BUILT


def test_a_succession_that_fails_in_the_middle_changes_nothing(
    postgres_state: PostgresState, lease: Lease, new: Lease
) -> None:
    """Neither is the old index kept with none to follow, nor is the lease lost that another attempt needs."""
    postgres_state.execute(
        "CREATE FUNCTION syncer.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'refused'; END$$"
    )
    postgres_state.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON syncer.indices FOR EACH ROW WHEN (NEW.phase = 'publishing') "
        "EXECUTE FUNCTION syncer.refuse()"
    )
    with pytest.raises(FatalError, match="refused"):
        new.succeed(lease, NOON)
    assert roles(postgres_state.open()) == BEFORE
    postgres_state.execute("DROP TRIGGER refuse ON syncer.indices")
    new.succeed(lease, NOON)
    assert roles(postgres_state.open()) == AFTER


def test_a_session_that_ends_in_the_middle_changes_nothing(
    postgres_state: PostgresState, lease: Lease, new: Lease
) -> None:
    """The lease is lost; nobody is left without an index that is followed."""
    with ThreadPoolExecutor(1) as thread:
        with psycopg.connect(postgres_state.url) as other:
            other.execute("SELECT FROM syncer.indices WHERE name = %s FOR UPDATE", (INDEX,))
            succeeding = thread.submit(new.succeed, lease, NOON)
            postgres_state.wait_for("SELECT 1 FROM pg_locks WHERE NOT granted")
            postgres_state.expire(BUILT)
        with pytest.raises(LeaseLost, match=BUILT):
            succeeding.result()
    assert roles(postgres_state.open()) == BEFORE
