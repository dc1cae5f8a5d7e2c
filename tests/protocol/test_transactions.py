"""Transactions that are older than they look, or that outlive their session: none of their rows is lost."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.adapters.postgres.waiting import wait_for
from tests.protocol.following import Following

#: Each waits for lock 1 in one transaction, and for lock 2 in the next one, which has written a row by then.
MESSAGES = {
    "one message": [
        """
        BEGIN; SELECT pg_advisory_xact_lock(1); COMMIT;
        BEGIN; INSERT INTO item VALUES (1, 'late'); SELECT pg_advisory_xact_lock(2); COMMIT
        """
    ],
    "commit and chain": [
        "BEGIN",
        "INSERT INTO slow VALUES (1)",
        "COMMIT AND CHAIN",
        "INSERT INTO item VALUES (1, 'late')",
        "SELECT pg_advisory_xact_lock(2)",
        "COMMIT",
    ],
    "procedure": [
        """
        DO $$ BEGIN
            PERFORM pg_advisory_xact_lock(1); COMMIT;
            INSERT INTO item VALUES (1, 'late', statement_timestamp()); PERFORM pg_advisory_xact_lock(2); COMMIT;
        END $$
        """
    ],
}

#: Its commit waits for lock 1.
SLOW = """
CREATE TABLE slow (i integer);
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END
$$;
CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON slow
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()
"""


@pytest.mark.parametrize("messages", MESSAGES.values(), ids=MESSAGES.keys())
def test_a_row_stamped_before_its_transaction_was_seen_is_delivered(
    messages: Sequence[str], following: Following
) -> None:
    """† The second transaction of a message, after a slow COMMIT AND CHAIN, or of a procedure that stamps with
    statement_timestamp(): dated when only the first one was open, committed when that had long ended."""
    following.sql(SLOW)
    with (
        following.polling() as poll,
        following.connect() as gate,
        following.connect() as late,
        ThreadPoolExecutor(1) as thread,
    ):
        following.poll_past(poll)
        gate.execute("SELECT pg_advisory_lock(1), pg_advisory_lock(2)")
        running = thread.submit(lambda: [late.execute(message.encode()) for message in messages])
        wait_for(lambda: waits(gate, late, 1))
        following.poll_past(poll)
        gate.execute("SELECT pg_advisory_unlock(1)")
        wait_for(lambda: waits(gate, late, 2))
        following.poll_past(poll)
        assert following.titles() == {}
        gate.execute("SELECT pg_advisory_unlock(2)")
        running.result()
        poll()
    assert following.titles() == {"1": "late"}


def waits(gate: psycopg.Connection[Any], late: psycopg.Connection[Any], lock: int) -> bool:
    found = "SELECT 1 FROM pg_locks WHERE pid = %s AND locktype = 'advisory' AND objid = %s AND NOT granted"
    return gate.execute(found, (late.info.backend_pid, lock)).fetchone() is not None


def test_a_row_rolled_back_to_a_savepoint_and_written_again_is_delivered(following: Following) -> None:
    """Its transaction is one, whatever its parts became."""
    with following.polling() as poll, following.connect() as late:
        for statement in (
            "BEGIN",
            "INSERT INTO item VALUES (1, 'first')",
            "SAVEPOINT s",
            "UPDATE item SET title = 'undone'",
            "ROLLBACK TO s",
        ):
            late.execute(statement.encode())
        following.poll_past(poll)
        following.sql("INSERT INTO item VALUES (2, 'beside')")
        following.poll_past(poll)
        assert following.titles() == {"2": "beside"}
        late.execute("COMMIT")
        poll()
        following.assert_equal()


def test_a_prepared_transaction_is_delivered_when_it_is_committed(following: Following) -> None:
    """It has no session any more, and keeps the checkpoint all the same."""
    with following.polling() as poll:
        following.poll_past(poll)
        following.sql("BEGIN; INSERT INTO item VALUES (1, 'prepared'); PREPARE TRANSACTION 'syncer half way'")
        following.poll_past(poll)
        following.poll_past(poll)
        following.sql("COMMIT PREPARED 'syncer half way'")
        poll()
        following.assert_equal()


def test_a_row_prepared_in_the_message_of_a_longer_transaction_is_delivered(following: Following) -> None:
    """† When it is first seen it is prepared, and nobody may see how old it is."""
    message = """
        BEGIN; SELECT pg_advisory_xact_lock(1); COMMIT;
        BEGIN; INSERT INTO item VALUES (1, 'prepared'); PREPARE TRANSACTION 'syncer in one message'
    """
    with (
        following.polling() as poll,
        following.connect() as gate,
        following.connect() as late,
        ThreadPoolExecutor(1) as thread,
    ):
        following.poll_past(poll)
        gate.execute("SELECT pg_advisory_lock(1)")
        running = thread.submit(late.execute, message.encode())
        wait_for(lambda: waits(gate, late, 1))
        following.poll_past(poll)
        gate.execute("SELECT pg_advisory_unlock(1)")
        running.result()
        following.poll_past(poll)
        following.poll_past(poll)
        following.sql("COMMIT PREPARED 'syncer in one message'")
        poll()
    assert following.titles() == {"1": "prepared"}
