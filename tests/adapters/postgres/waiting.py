"""Waiting for a condition in a server that no test can make happen by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")
Connection = psycopg.Connection[Any]


def wait_for(condition: Callable[[], T | None], seconds: float = 30.0) -> T:
    """Return what the condition returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return result


def wait_until_gone(admin: Connection) -> None:
    """Wait for the end of all other sessions: by then the server has counted what they did."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    wait_for(
        lambda: admin.execute(
            f"SELECT 1 WHERE NOT EXISTS (SELECT {others} AND backend_type = 'client backend')"
        ).fetchone()
    )


def scans(admin: Connection, table: str = "tombstones") -> tuple[int, int]:
    """Return how often a table was read as a whole, and how many rows of it through an index."""
    found = admin.execute(
        "SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = %s", (table,)
    ).fetchone()
    assert found
    return int(found[0]), int(found[1])
