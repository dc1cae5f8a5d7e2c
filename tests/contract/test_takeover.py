"""Who holds something shows that it lives; who does not show it is replaced."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pytest

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.held_session import FROZEN_SECONDS
from syncer.adapters.postgres.state import PostgresStateStore
from syncer.core.error import LeaseHeld, LeaseLost
from tests.contract.examples import INDEX, RECORD
from tests.contract.shared_state import PostgresState

SESSION = "application_name = 'syncer lease items-1'"


@pytest.fixture(name="store")
def _store(postgres_state: PostgresState) -> PostgresStateStore:
    store = postgres_state.open()
    store.register(RECORD)
    return store


def freeze(url: str) -> closing[psycopg.Connection]:
    """Return the session of a process that holds the lease and does nothing more."""
    session = psycopg.connect(url, autocommit=True, application_name="syncer lease items-1")
    session.execute("SELECT pg_advisory_lock(%s)", (AdvisoryLock.on("syncer", "lease", INDEX).key,))
    return closing(session)


def beats() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("beat of")]


def test_a_holder_that_has_nothing_to_do_is_not_idle(postgres_state: PostgresState, store: PostgresStateStore) -> None:
    """A poll or a model may take minutes in which nothing is asked of the lease."""
    lease = store.acquire(INDEX)
    [(used,)] = postgres_state.execute(f"SELECT state_change FROM pg_stat_activity WHERE {SESSION}")
    for _ in range(2):
        postgres_state.wait_for(f"SELECT 1 FROM pg_stat_activity WHERE {SESSION} AND state_change > %s", used)
        [(used,)] = postgres_state.execute(f"SELECT state_change FROM pg_stat_activity WHERE {SESSION}")
    lease.prove()
    lease.release()


def test_a_lease_that_is_given_back_or_lost_beats_no_longer(
    postgres_state: PostgresState, store: PostgresStateStore
) -> None:
    """Its thread ends."""
    lease = store.acquire(INDEX)
    assert beats() == ["beat of the lease of index items-1"]
    lease.release()
    wait_until_none_beats()
    lease = store.acquire(INDEX)
    postgres_state.expire(INDEX)
    wait_until_none_beats()
    with pytest.raises(LeaseLost, match="terminating connection"):
        lease.prove()
    lease.release()


def wait_until_none_beats() -> None:
    deadline = time.monotonic() + 10
    while beats():
        assert time.monotonic() < deadline, beats()
        time.sleep(0.02)


def test_a_lease_is_taken_from_a_process_that_is_frozen(
    postgres_state: PostgresState, store: PostgresStateStore
) -> None:
    """After eight seconds, in which it is told who has it; the session that had it has ended then."""
    with freeze(postgres_state.url) as frozen:
        began = time.monotonic()
        while True:
            try:
                lease = store.acquire(INDEX)
                break
            except LeaseHeld:
                assert time.monotonic() - began < FROZEN_SECONDS + 4
                time.sleep(0.1)
        assert time.monotonic() - began > FROZEN_SECONDS - 1
        with pytest.raises(psycopg.OperationalError):
            frozen.execute("SELECT 1")
    assert lease.draw() > 0
    lease.release()


def test_a_role_that_may_not_end_the_session_says_so(postgres_state: PostgresState, store: PostgresStateStore) -> None:
    """With what to do; it takes nothing by force."""
    [(role,)] = postgres_state.execute("SELECT 'runner_' || replace(gen_random_uuid()::text, '-', '')")
    postgres_state.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret-word' IN ROLE pg_read_all_stats")
    try:
        with freeze(postgres_state.url):
            parts = urlsplit(postgres_state.url)
            url = parts._replace(netloc=f"{role}:secret-word@{parts.netloc.rpartition('@')[2]}").geturl()
            other = postgres_state.open(url)
            for table in ("USAGE ON SCHEMA syncer", "SELECT, UPDATE, INSERT ON ALL TABLES IN SCHEMA syncer"):
                postgres_state.execute(f"GRANT {table} TO {role}")
            idle = f"SELECT 1 FROM pg_stat_activity WHERE {SESSION} AND state_change < now() - interval '8.1 s'"
            postgres_state.wait_for(idle)
            with pytest.raises(LeaseHeld, match="frozen") as held:
                other.acquire(INDEX)
            assert "pg_terminate_backend" in held.value.hint
            other.close()
    finally:
        postgres_state.execute(f"DROP OWNED BY {role}")
        postgres_state.execute(f"DROP ROLE {role}")
