"""Locks of sessions, and the end of those that keep one for nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.session import STATE_SETTINGS, Session
from syncer.core.error import AccessDenied, StateUnavailable
from tests.adapters.postgres.waiting import wait_for

LOCK = AdvisoryLock.on("tests", "lease", "items")
#: Longer than the holder takes to become idle, shorter than the test.
IDLE_SECONDS = 0.2


@contextmanager
def holding(url: str, application_name: str = "syncer lease items") -> Iterator[psycopg.Connection]:
    """Lend a session that has the lock, and does nothing of its own."""
    with closing(psycopg.connect(url, autocommit=True, application_name=application_name)) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK.key,))
        yield connection


@contextmanager
def asking(url: str) -> Iterator[Session]:
    session = Session(url, setting="state.url", settings=STATE_SETTINGS, unavailable=StateUnavailable)
    try:
        yield session
    finally:
        session.close()


def end(url: str) -> bool:
    """Try to end the holder, once it has been idle for long enough."""
    with asking(url) as session, session.use() as connection:
        threading.Event().wait(2 * IDLE_SECONDS)
        return LOCK.end_idle_holder(connection, IDLE_SECONDS)


@pytest.mark.parametrize("begun", [False, True], ids=["idle", "idle-in-transaction"])
def test_a_holder_that_is_idle_is_ended(postgres_url: str, begun: bool) -> None:
    """Then the lock is free."""
    with holding(postgres_url) as holder:
        if begun:
            holder.execute("BEGIN")
        assert end(postgres_url)
        with asking(postgres_url) as session, session.use() as connection:
            wait_for(lambda: LOCK.try_for_session(connection))


def test_a_holder_that_was_busy_a_moment_ago_is_left_alone(postgres_url: str) -> None:
    """It is the server's clock that counts."""
    with (
        holding(postgres_url) as holder,
        asking(postgres_url) as session,
        session.use() as connection,
    ):
        assert not LOCK.end_idle_holder(connection, 60)
        holder.execute("SELECT 1")


def test_a_holder_that_waits_for_the_server_is_left_alone(postgres_url: str) -> None:
    """A slow commit is no sign of a frozen process."""
    with holding(postgres_url) as holder:
        waiting = threading.Thread(target=lambda: holder.execute("SELECT pg_sleep(2)"))
        waiting.start()
        assert not end(postgres_url)
        waiting.join()
        holder.execute("SELECT 1")


def test_a_holder_that_is_not_syncer_is_left_alone(postgres_url: str) -> None:
    """A person may have taken the lock, to keep syncer away."""
    with holding(postgres_url, "psql") as holder:
        assert not end(postgres_url)
        holder.execute("SELECT 1")


def test_a_lock_that_nobody_has_has_no_holder_to_end(postgres_url: str) -> None:
    """It was given back in the meantime."""
    assert not end(postgres_url)


def test_who_may_see_the_holder_but_not_end_it_is_told(postgres_url: str) -> None:
    """A role that may not see it takes it for one that lives."""
    parts, role = urlsplit(postgres_url), f"watcher_{uuid4().hex}"
    url = parts._replace(netloc=f"{role}:secret-word@{parts.netloc.rpartition('@')[2]}").geturl()
    with holding(postgres_url) as holder:
        holder.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret-word'".encode())
        try:
            assert not end(url)
            holder.execute(f"GRANT pg_read_all_stats TO {role}".encode())
            with pytest.raises(AccessDenied):
                end(url)
        finally:
            holder.execute(f"DROP ROLE {role}".encode())
