"""A source that is killed: what it keeps under another name, and what it forgets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.protocol.following import Following
from tests.services.postgres import OwnPostgres, bin_dir, create_database

IN_DOUBT = "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'transactionid' AND pid IS NULL"


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[OwnPostgres]:
    """A server to be killed, which keeps asynchronous commits in memory for as long as a test takes."""
    server = OwnPostgres(bin_dir(), {"wal_writer_delay": "10s"})
    try:
        server.start()
        yield server
    finally:
        server.delete()


def test_a_prepared_transaction_that_a_crash_renamed_is_delivered(server: OwnPostgres) -> None:
    """† What was remembered of it under its old name would make it look like one that had ended."""
    # No rewind: it would hide what the start from the checkpoint does.
    following = Following(create_database(server), rewind=timedelta())
    with following.polling() as poll:
        following.poll_past(poll)
        following.sql("BEGIN; INSERT INTO item VALUES (1, 'in doubt'); PREPARE TRANSACTION 'syncer in doubt'")
        following.poll_past(poll)
    named = following.sql(IN_DOUBT)
    server.kill()
    server.start()
    renamed = following.sql(IN_DOUBT)
    assert len(renamed) == 1
    assert renamed != named
    with following.polling() as poll:
        following.poll_past(poll)
        following.poll_past(poll)
        following.sql("COMMIT PREPARED 'syncer in doubt'")
        poll()
    assert following.titles() == {"1": "in doubt"}


def test_commits_that_the_source_forgot_are_taken_back_within_the_rewind_and_else_mark_verify_needed(
    server: OwnPostgres,
) -> None:
    """† An asynchronous commit is visible before it is durable: delivered, and then never committed."""
    following = Following(create_database(server), rewind=timedelta(minutes=15))
    following.sql("INSERT INTO item VALUES (1, 'old', now() - interval '1 hour'), (2, 'old', now())")
    with following.polling() as poll:
        following.poll_past(poll)
        assert not following.world.record.verify_needed
        with following.connect() as writer:
            writer.execute("SET synchronous_commit = off")
            writer.execute("UPDATE item SET title = 'phantom', updated_at = now()")
        following.poll_past(poll)
        assert following.titles() == {"1": "phantom", "2": "phantom"}
    server.kill()
    server.start()
    assert following.sql("SELECT DISTINCT title FROM item") == [("old",)]
    with following.polling() as poll:
        following.poll_past(poll)
    assert following.titles() == {"1": "phantom", "2": "old"}
    assert "may have lost commits" in (following.world.record.verify_needed or "")
