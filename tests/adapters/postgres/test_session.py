"""What sessions are like, whatever the role's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.held_session import HELD_SETTINGS
from syncer.adapters.postgres.session import SOURCE_SETTINGS, STATE_SETTINGS, Session
from syncer.core.declaration import resolve_fields
from syncer.core.error import SourceUnavailable, StateUnavailable
from tests.adapters.postgres.conftest import OpenSession, ReadTable, url_of
from tests.adapters.postgres.waiting import wait_for

Connection = psycopg.Connection[Any]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (SOURCE_SETTINGS, {"row_security": "off", "idle_session_timeout": "0", "extra_float_digits": "1"}),
        (STATE_SETTINGS, {"synchronous_commit": "on", "idle_session_timeout": "0"}),
        (
            HELD_SETTINGS,
            {
                "synchronous_commit": "on",
                "idle_session_timeout": "0",
                "tcp_keepalives_idle": "5",
                "tcp_keepalives_interval": "2",
                "tcp_keepalives_count": "3",
                "tcp_user_timeout": "10000",
            },
        ),
    ],
    ids=["source", "state", "lease"],
)
def test_what_a_promise_rests_on_is_set_for_the_session(
    settings: Mapping[str, str], expected: Mapping[str, str], role: str, admin: Connection, postgres_url: str
) -> None:
    """† A number that was drawn is durable, and the end of a lease's holder is noticed in seconds, not in hours."""
    for name, value in {
        "synchronous_commit": "off",
        "idle_session_timeout": "1min",
        "row_security": "on",
        "tcp_keepalives_idle": "7200",
        "extra_float_digits": "-5",
    }.items():
        admin.execute(f"ALTER ROLE \"{role}\" SET {name} = '{value}'".encode())
    session = Session(
        url_of(postgres_url, role), setting="source.url", settings=settings, unavailable=SourceUnavailable
    )
    try:
        with session.use() as connection:
            found = {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in expected}
    finally:
        session.close()
    assert found == expected


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_hydration_holds_no_snapshot(
    isolation: str, role: str, admin: Connection, open_session: OpenSession, read: ReadTable
) -> None:
    """† Each one sees what was committed before it, and nothing of it stays open: an older row under a newer number
    would win for ever."""
    admin.execute("CREATE TABLE item (id integer PRIMARY KEY, title text, updated_at timestamptz DEFAULT now())")
    admin.execute("INSERT INTO item VALUES (1, 'one')")
    admin.execute(f'GRANT SELECT ON item TO "{role}"'.encode())
    admin.execute(f"ALTER ROLE \"{role}\" SET default_transaction_isolation = '{isolation}'".encode())
    session, table = open_session(role), read()
    documents = PostgresDocuments(session, table, resolve_fields(table, None, setting="fields"), ())
    sessions = "SELECT state, xact_start, backend_xmin FROM pg_stat_activity WHERE usename = %s"
    for title in ("one", "two", "three"):
        admin.execute("UPDATE item SET title = %s", (title,))
        (draft,) = documents.hydrate([("1",)]).drafts
        assert f'"title":"{title}"' in draft.body
        assert admin.execute(sessions, (role,)).fetchall() == [("idle", None, None)]
    with session.use() as connection:
        assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"


def test_a_transaction_that_the_server_ended_for_being_idle_is_trouble_that_passes(postgres_url: str) -> None:
    """As after a SIGSTOP between its beginning and its end."""
    settings = {**STATE_SETTINGS, "idle_in_transaction_session_timeout": "50ms"}
    session = Session(postgres_url, setting="state.url", settings=settings, unavailable=StateUnavailable)

    def be_idle() -> None:
        with session.transaction() as connection:
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
            wait_for(lambda: not alive(postgres_url, pid))
            connection.execute(text("SELECT 1"))

    with pytest.raises(StateUnavailable, match="idle"):
        be_idle()
    assert not session.connected


def alive(url: str, pid: object) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone() is not None
