"""What only a real Postgres shows of observing it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import pq
from psycopg.conninfo import make_conninfo

from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.adapters.postgres.source import PostgresSource, refuse_standby
from syncer.core.error import ConfigurationError, SourceUnavailable
from tests.adapters.postgres.conftest import OpenSession
from tests.adapters.postgres.waiting import wait_for
from tests.services.postgres import OwnPostgres, PostgresServer, bin_dir

Connection = psycopg.Connection[Any]


@pytest.fixture(name="source")
def _source(session: Session) -> PostgresSource:
    return PostgresSource(session)


@pytest.fixture(name="writer")
def _writer(postgres_url: str, admin: Connection) -> Iterator[Connection]:
    """A session in a transaction that has written nothing."""
    admin.execute("CREATE TABLE item (id integer)")
    with psycopg.connect(postgres_url, application_name="writer") as connection:
        connection.execute("SELECT 1")
        yield connection
        connection.rollback()


def now(connection: Connection) -> datetime:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def test_clock(source: PostgresSource, admin: Connection) -> None:
    """The clock is the server's, in UTC, whatever else is listed."""
    before = now(admin)
    observation = source.observe()
    assert before < observation.clock < now(admin)
    assert observation.clock.utcoffset() == datetime.now(UTC).utcoffset()
    assert observation.open_since == {}


def test_transaction_that_wrote_nothing(source: PostgresSource, writer: Connection, admin: Connection) -> None:
    """An idle transaction is open from its start, though it holds no lock on any table; its end closes it."""
    observation = source.observe()
    (started,) = set(observation.open_since.values())
    assert started is not None
    assert started < observation.clock
    writer.execute("INSERT INTO item VALUES (1)")
    assert source.observe().open_since == observation.open_since
    writer.commit()
    assert source.observe().open_since == {}


def test_a_prepared_transaction_stays_open_under_its_name(source: PostgresSource, writer: Connection) -> None:
    """† PREPARE leaves a transaction open, under the same name; its start is hidden then."""
    names = source.observe().open_since.keys()
    writer.execute("INSERT INTO item VALUES (1)")
    writer.execute("PREPARE TRANSACTION 'half way'")
    (name,) = source.observe().open_since.items()
    assert name[0] in names
    assert name[1] is None
    writer.autocommit = True
    writer.execute("COMMIT PREPARED 'half way'")
    assert source.observe().open_since == {}


def test_unprivileged_role(role: str, open_session: OpenSession, writer: Connection, admin: Connection) -> None:
    """A role without privileges sees that transactions are open, and with pg_read_all_stats since when."""
    source = PostgresSource(open_session(role))
    (name,) = source.observe().open_since.items()
    assert name[1] is None
    assert source.identity().timeline >= 1
    admin.execute(f'GRANT pg_read_all_stats TO "{role}"')
    assert None not in source.observe().open_since.values()
    assert name[0] in source.observe().open_since
    writer.commit()
    assert source.observe().open_since == {}


def test_transactions_of_another_database_hold_nothing_up(
    source: PostgresSource, postgres_server: PostgresServer
) -> None:
    """† Transactions in another database, prepared ones too, hold nothing up."""
    with psycopg.connect(postgres_server.url()) as other:
        other.execute("CREATE TEMPORARY TABLE t (i integer)")
        other.rollback()
        other.execute("SELECT pg_current_xact_id()")
        assert source.observe().open_since == {}
        other.execute("PREPARE TRANSACTION 'syncer elsewhere'")
        try:
            assert source.observe().open_since == {}
        finally:
            other.autocommit = True
            other.execute("ROLLBACK PREPARED 'syncer elsewhere'")


def test_a_transaction_that_shares_a_message_counts_from_its_arrival(
    source: PostgresSource, writer: Connection, postgres_url: str
) -> None:
    """† A transaction that follows another one in its message counts from the message's arrival: that is its now()."""
    writer.execute("LOCK TABLE item")
    with psycopg.connect(postgres_url, autocommit=True) as late:
        thread = threading.Thread(
            target=lambda: late.execute("BEGIN; LOCK TABLE item; COMMIT; BEGIN; SELECT pg_advisory_lock(1); COMMIT")
        )
        with psycopg.connect(postgres_url, autocommit=True) as gate:
            gate.execute("SELECT pg_advisory_lock(1)")
            thread.start()
            wait_for(lambda: waits(gate, late, "relation"))
            arrived = now(gate)
            writer.rollback()
            wait_for(lambda: waits(gate, late, "advisory"))
            since = [at for at in source.observe().open_since.values() if at is not None]
            assert since
            assert max(since) < arrived
            gate.execute("SELECT pg_advisory_unlock(1)")
            thread.join()


def test_what_a_slow_commit_and_chain_begins_counts_from_when_it_was_asked_for(
    source: PostgresSource, writer: Connection, postgres_url: str
) -> None:
    """† What COMMIT AND CHAIN begins counts from when the commit was asked for, however long that took."""
    writer.rollback()
    with psycopg.connect(postgres_url, autocommit=True) as gate, psycopg.connect(postgres_url, autocommit=True) as late:
        gate.execute(
            """
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END
            $$;
            CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON item
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()
            """
        )
        late.execute("BEGIN")
        late.execute("INSERT INTO item VALUES (1)")
        gate.execute("SELECT pg_advisory_lock(1)")
        thread = threading.Thread(target=lambda: late.execute("COMMIT AND CHAIN"))
        thread.start()
        wait_for(lambda: waits(gate, late, "advisory"))
        asked = now(gate)
        before = source.observe().open_since
        gate.execute("SELECT pg_advisory_unlock(1)")
        thread.join()
        after = source.observe().open_since
        assert after.keys().isdisjoint(before)
        assert all(at is not None and at < asked for at in after.values())
        late.execute("ROLLBACK")


def waits(gate: Connection, late: Connection, kind: str) -> bool:
    found = "SELECT 1 FROM pg_locks WHERE pid = %s AND locktype = %s AND NOT granted"
    return gate.execute(found, (late.info.backend_pid, kind)).fetchone() is not None


def test_a_replication_sender_holds_nothing_up(source: PostgresSource, admin: Connection, postgres_url: str) -> None:
    """† A replication sender is at work for ever, and holds nothing up."""
    if admin.execute("SHOW wal_level").fetchone() != ("logical",):
        pytest.skip("the server's wal_level is not logical")
    admin.execute("CREATE PUBLICATION everything FOR ALL TABLES")
    slot = f"syncer_{urlsplit(postgres_url).path[1:]}"
    admin.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))
    sender = pq.PGconn.connect(make_conninfo(postgres_url, replication="database").encode())
    try:
        start = f"START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names 'everything')"
        assert sender.exec_(start.encode()).status == pq.ExecStatus.COPY_BOTH
        senders = "SELECT state FROM pg_stat_activity WHERE backend_type = 'walsender' AND datname = current_database()"
        wait_for(lambda: admin.execute(senders).fetchall() == [("active",)])
        wait_for(lambda: source.observe().open_since == {})
    finally:
        sender.finish()
        admin.execute("DROP PUBLICATION everything")
        gone = (
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s AND NOT active"
        )
        wait_for(lambda: admin.execute(gone, (slot,)).fetchall())


def test_autovacuum_holds_nothing_up(source: PostgresSource, admin: Connection) -> None:
    """† Autovacuum is in a transaction for as long as it takes, and holds nothing up."""
    slowly = "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
    admin.execute(f"CREATE TABLE dusty (i integer) WITH ({slowly})")
    admin.execute("INSERT INTO dusty SELECT generate_series(1, 20000)")
    admin.execute("DELETE FROM dusty")
    admin.execute("ALTER SYSTEM SET autovacuum_naptime = 1")
    admin.execute("SELECT pg_reload_conf()")
    try:
        vacuums = """
            SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
             WHERE locktype = 'virtualxid' AND backend_type = 'autovacuum worker' AND datname = current_database()
        """
        wait_for(lambda: admin.execute(vacuums).fetchall(), 120)
        assert source.observe().open_since == {}
    finally:
        admin.execute("ALTER SYSTEM RESET autovacuum_naptime")
        admin.execute("SELECT pg_reload_conf()")


def test_blockers(source: PostgresSource, writer: Connection, postgres_url: str) -> None:
    """Those who hold the horizon are shown once each, the oldest first."""
    with psycopg.connect(postgres_url, application_name="second") as second:
        second.execute("CREATE TABLE made (i integer)")
        second.execute("PREPARE TRANSACTION 'it''s mine'")
        second.autocommit = True
        first, prepared = source.blockers()
        assert (first.pid, first.application_name, first.state) == (
            writer.info.backend_pid,
            "writer",
            "idle in transaction",
        )
        assert (prepared.pid, prepared.state) == (None, "prepared as 'it''s mine'")
        assert first.since is not None
        assert prepared.since is not None
        assert first.since < prepared.since
        assert source.blockers(limit=1) == [first]
        second.execute("ROLLBACK PREPARED 'it''s mine'")


def test_hidden_blocker(role: str, open_session: OpenSession, writer: Connection) -> None:
    """A role without privileges still sees which process it is."""
    (blocker,) = PostgresSource(open_session(role)).blockers()
    assert (blocker.pid, blocker.application_name, blocker.since) == (writer.info.backend_pid, "writer", None)


def test_identity(source: PostgresSource, session: Session, admin: Connection) -> None:
    """A server is the same one over connections, and says when it was started."""
    identity = source.identity()
    session.close()
    assert source.identity() == identity
    assert identity.started_at < now(admin)


def test_a_standby_is_refused() -> None:
    """† A standby is refused: it does not know the transactions that are open on its primary."""
    server = OwnPostgres(bin_dir())
    try:
        server.start()
        server.stop()
        (server.directory / "data" / "standby.signal").touch()
        server.start()
        session = Session(
            server.url(),
            setting="source.url",
            settings=SOURCE_SETTINGS,
            unavailable=SourceUnavailable,
            on_connect=refuse_standby,
        )
        with pytest.raises(ConfigurationError, match=r"source\.url leads to a standby") as raised:
            PostgresSource(session).identity()
        assert "primary" in raised.value.hint
        session.close()
    finally:
        server.delete()
