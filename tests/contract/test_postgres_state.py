"""What only Postgres shows of the state store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg
import pytest

from syncer.adapters.postgres.migrate import migrate
from syncer.adapters.postgres.state import PostgresStateStore
from syncer.core.error import (
    AccessDenied,
    ConfigurationError,
    FatalError,
    LeaseHeld,
    LeaseLost,
    StateUnavailable,
    SyncerError,
)
from syncer.core.settlement import DeadLetter, Settlement
from syncer.core.text_counts import TextCounts
from tests.contract.examples import CHECKPOINT, INDEX, NOON, RECORD
from tests.contract.shared_state import PostgresState
from tests.services.pooling_proxy import PoolingProxy
from tests.services.postgres import PostgresServer

#: Above any clock for the next thousand years.
AHEAD = 10**17


@pytest.fixture(name="store")
def _store(postgres_state: PostgresState) -> PostgresStateStore:
    store = postgres_state.open()
    store.register(RECORD)
    return store


def last_value(state: PostgresState) -> int:
    return int(state.execute("SELECT last_value FROM syncer.version")[0][0])


def set_back(state: PostgresState, to: int = 1) -> None:
    state.execute("SELECT setval('syncer.version', %s)", to)


def test_numbers_after_a_fail_over_to_an_older_state_are_above_all_before(
    postgres_state: PostgresState, store: PostgresStateStore
) -> None:
    """† Whoever connects raises the sequence before it draws."""
    before = [store.draw() for _ in range(5)]
    postgres_state.end_sessions()
    set_back(postgres_state)
    with pytest.raises(StateUnavailable):
        store.draw()
    assert store.draw() > max(before)


def test_a_lease_raises_the_numbers_too(postgres_state: PostgresState, store: PostgresStateStore) -> None:
    """† It draws on a session of its own, which may be the first to reach the older state."""
    before = store.draw()
    set_back(postgres_state)
    lease = store.acquire(INDEX)
    assert lease.draw() > before
    lease.release()


def test_a_sequence_ahead_of_the_clock_is_never_lowered(postgres_state: PostgresState) -> None:
    """† The clock may be behind, or have been set back."""
    set_back(postgres_state, AHEAD)
    for _ in range(3):
        before = last_value(postgres_state)
        assert postgres_state.open().draw() > before >= AHEAD


def test_a_raise_stays_above_numbers_that_are_drawn_meanwhile(
    postgres_state: PostgresState, store: PostgresStateStore
) -> None:
    """† Reading the sequence and setting it are two steps."""
    first = store.draw()
    with ThreadPoolExecutor(1) as thread:
        with psycopg.connect(postgres_state.url) as other:
            # Whoever has read the sequence, and now wants to set it, waits for the end of this transaction.
            other.execute("ALTER SEQUENCE syncer.version CACHE 1")
            raising = thread.submit(store.raise_above, first + 10)
            postgres_state.wait_for("SELECT 1 FROM pg_locks WHERE NOT granted")
            row = other.execute("SELECT max(nextval('syncer.version')) FROM generate_series(1, 1000)").fetchone()
        raising.result()
    assert row is not None
    assert store.draw() > row[0]


def test_numbers_that_a_crash_may_have_taken_back_are_skipped(
    postgres_state: PostgresState, store: PostgresStateStore
) -> None:
    """† A draw that finds numbers logged ahead does not wait for the disk; and the clock may be of no help."""
    set_back(postgres_state, AHEAD)
    highest = [store.draw() for _ in range(40)][-1]
    postgres_state.end_sessions()
    set_back(postgres_state, highest - 40)
    assert postgres_state.open().draw() > highest


def test_a_server_that_was_killed_repeats_no_number(
    postgres_state: PostgresState, postgres_server: PostgresServer
) -> None:
    """† Even where the clock is behind the numbers."""
    set_back(postgres_state, AHEAD)
    stores = [postgres_state.open() for _ in range(6)]
    highest = [0] * len(stores)
    drawing = threading.Barrier(len(stores) + 1)

    def draw(thread: int) -> None:
        highest[thread] = stores[thread].draw()
        drawing.wait()
        while True:
            try:
                highest[thread] = stores[thread].draw()
            except StateUnavailable:
                return

    with ThreadPoolExecutor(len(stores)) as threads:
        futures = [threads.submit(draw, thread) for thread in range(len(stores))]
        drawing.wait()
        postgres_server.kill()
        for future in futures:
            future.result()
    postgres_server.start()
    assert stores[0].draw() > max(highest)


def test_the_holder_is_named(postgres_state: PostgresState, store: PostgresStateStore) -> None:
    """Its pid in the state database, what it calls itself, from where and since when."""
    lease = store.acquire(INDEX)
    [(pid,)] = postgres_state.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'syncer lease items-1'"
    )
    with pytest.raises(LeaseHeld, match=rf"pid {pid}, syncer lease items-1, from 127\.0\.0\.1, since 2"):
        postgres_state.open().acquire(INDEX)
    lease.release()


def test_a_session_that_ended_is_replaced_at_the_next_call(
    postgres_state: PostgresState, store: PostgresStateStore
) -> None:
    """The call that finds out fails, for nobody knows what became of it."""
    before = store.draw()
    postgres_state.end_sessions()
    with pytest.raises(StateUnavailable):
        store.draw()
    assert store.draw() > before


def test_a_lease_is_not_replaced_at_the_next_call(postgres_state: PostgresState, store: PostgresStateStore) -> None:
    """Another session would not hold the lock."""
    lease = store.acquire(INDEX)
    postgres_state.expire(INDEX)
    for use in (lease.draw, lease.checkpoints, lease.draw):
        with pytest.raises(LeaseLost):
            use()


def test_a_settlement_that_fails_leaves_nothing(store: PostgresStateStore) -> None:
    """Checkpoint and dead letters are one value; and the session is good for the next."""
    lease = store.acquire(INDEX)
    checkpoint = CHECKPOINT
    letters = [DeadLetter((str(version),), version, "refused", "bad", NOON) for version in (1, 2**63)]
    with pytest.raises(FatalError):
        lease.commit(Settlement({"items": checkpoint}, letters))
    assert (store.overview(INDEX).checkpoints, store.overview(INDEX).dead_letters) == ({}, 0)
    assert lease.commit(Settlement({"items": checkpoint}, letters[:1])) == 1
    lease.release()


def test_a_settlement_without_texts_leaves_the_record_alone(
    postgres_state: PostgresState, store: PostgresStateStore
) -> None:
    """A quiet poll commits its checkpoint every few seconds: no version of the index's row each time."""

    def row_version() -> object:
        return postgres_state.execute("SELECT xmin::text FROM syncer.indices")

    lease = store.acquire(INDEX)
    before = row_version()
    lease.commit(Settlement({"items": CHECKPOINT}))
    assert row_version() == before
    lease.commit(Settlement({"items": CHECKPOINT}, texts=TextCounts(embedded=1)))
    assert row_version() != before
    lease.release()


def test_a_reason_that_postgres_cannot_hold_is_stored_as_well_as_it_can(store: PostgresStateStore) -> None:
    """Elasticsearch quotes what it refused: NUL, half a surrogate pair, a whole document."""
    reason = "value [a\0b\ud800c] " + "x" * 100_000
    assert store.record(INDEX, Settlement(dead_letters=[DeadLetter(("1",), 1, "refused", reason, NOON)])) == 1
    [stored] = store.dead_letters(INDEX)
    assert stored.reason.startswith("value [a�b?c] xxx")
    assert len(stored.reason) == 4000


@pytest.mark.parametrize("hold", [PostgresStateStore.acquire, PostgresStateStore.backfill])
def test_a_proxy_that_pools_transactions_is_refused(
    postgres_state: PostgresState, store: PostgresStateStore, hold: Callable[[PostgresStateStore, str], object]
) -> None:
    """† A lock taken there is anybody's."""
    proxy = PoolingProxy(postgres_state.url)
    try:
        pooled = postgres_state.open(proxy.url)
        assert pooled.draw() > 0
        with pytest.raises(ConfigurationError, match="pools transactions") as refused:
            hold(pooled, INDEX)
        assert "state.url" in refused.value.hint
    finally:
        proxy.close()


def test_a_schema_that_is_not_there_is_a_matter_of_migrate(postgres_url: str) -> None:
    """The message says which command makes it."""
    store = PostgresStateStore(postgres_url, "syncer")
    with pytest.raises(ConfigurationError) as missing:
        store.index("items")
    assert "syncer migrate" in missing.value.hint
    store.close()


def test_a_role_of_few_privileges_is_enough_and_fewer_are_named(postgres_state: PostgresState) -> None:
    """Migrating is one role's business, running another's."""
    [(role,)] = postgres_state.execute("SELECT 'runner_' || replace(gen_random_uuid()::text, '-', '')")
    postgres_state.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret-word'")
    parts = urlsplit(postgres_state.url)
    host = parts.netloc.rpartition("@")[2]
    store = postgres_state.open(parts._replace(netloc=f"{role}:secret-word@{host}").geturl())
    with pytest.raises(AccessDenied) as denied:
        store.draw()
    assert "USAGE on the state schema" in denied.value.hint
    assert "secret-word" not in str(denied.value)
    for grant in (
        "USAGE ON SCHEMA syncer",
        "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA syncer",
        "USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA syncer",
    ):
        postgres_state.execute(f"GRANT {grant} TO {role}")
    store.register(RECORD)
    lease = store.acquire(INDEX)
    lease.commit(Settlement({"items": CHECKPOINT}))
    lease.release()
    store.forget(INDEX)
    store.close()
    postgres_state.execute(f"DROP OWNED BY {role}")
    postgres_state.execute(f"DROP ROLE {role}")


def test_a_schema_of_any_name_is_used(postgres_url: str) -> None:
    """Quoted wherever it is written."""
    schema = """My-Schema "a" 'b' %s :c \\ d.e"""
    migrate(postgres_url, schema)
    store = PostgresStateStore(postgres_url, schema)
    store.register(RECORD)
    lease = store.acquire(INDEX)
    lease.commit(Settlement({"items": CHECKPOINT}))
    lease.raise_above(lease.draw())
    progress = store.backfill(INDEX)
    progress.finish()
    progress.release()
    lease.release()
    store.close()


def test_a_server_that_is_away_is_waited_for(postgres_state: PostgresState, postgres_server: PostgresServer) -> None:
    """Nothing is wrong with the configuration; and no lease is lost that was never held."""
    store = postgres_state.open()
    store.register(RECORD)
    postgres_server.stop()
    try:
        uses: list[Callable[[], object]] = [store.draw, lambda: store.acquire(INDEX), lambda: store.index("items")]
        for use in uses:
            with pytest.raises(SyncerError) as away:
                use()
            assert isinstance(away.value, StateUnavailable)
    finally:
        postgres_server.start()
    store.acquire(INDEX).release()
