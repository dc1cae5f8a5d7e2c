"""Advisory locks of the state database: one 64-bit number each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from syncer.core.overview import Holder

_OF_THIS_LOCK = """
    l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.classid = CAST(:high AS oid) AND l.objid = CAST(:low AS oid)
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True, slots=True)
class AdvisoryLock:
    """A lock on a thing that is not a row. Held by a session, a session may take it twice."""

    key: int

    @classmethod
    def on(cls, *names: str) -> AdvisoryLock:
        """Return the lock of a name: the same in every process and version."""
        digest = hashlib.sha256("\0".join(("syncer", *names)).encode()).digest()
        return cls(int.from_bytes(digest[:8], signed=True))

    def try_for_session(self, connection: Connection) -> bool:
        """Take it until it is given back or the session ends; False where another session has it."""
        return bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": self.key}))

    def give_back(self, connection: Connection) -> None:
        """Undo `try_for_session`."""
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": self.key})

    def wait_for_transaction(self, connection: Connection) -> None:
        """Wait for it, and keep it until the transaction ends."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": self.key})

    def is_mine(self, connection: Connection) -> bool:
        """Tell whether the session that runs this very statement has it."""
        held = text(
            f"SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE {_OF_THIS_LOCK} AND pid = pg_backend_pid())"
        )
        return bool(connection.scalar(held, self._halves))

    def holder(self, connection: Connection) -> Holder | None:
        """Return the session that has it; None: nobody."""
        found = connection.execute(
            text(
                "SELECT l.pid, a.application_name, host(a.client_addr) AS address, a.backend_start "
                "FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
                f"WHERE {_OF_THIS_LOCK}"
            ),
            self._halves,
        ).first()
        if found is None:
            return None
        return Holder(found.pid, found.application_name or None, found.address, found.backend_start)

    def end_idle_holder(self, connection: Connection, seconds: float) -> bool:
        """End the session that has it, if it is one of syncer and has been idle for longer, by the server's clock.

        One that waits for its commit is not idle; nor is one whose state this role may not see. The session is told to
        end, and may take a moment.
        """
        ended = text(
            "SELECT pg_terminate_backend(l.pid) "
            "FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
            f"WHERE {_OF_THIS_LOCK} AND a.application_name LIKE 'syncer %' AND a.state LIKE 'idle%' "
            "AND a.state_change < clock_timestamp() - make_interval(secs => CAST(:seconds AS float8))"
        )
        return bool(connection.scalar(ended, {**self._halves, "seconds": seconds}))

    @property
    def _halves(self) -> dict[str, Any]:
        # pg_locks shows the number as two unsigned halves.
        unsigned = self.key & 0xFFFF_FFFF_FFFF_FFFF
        return {"high": unsigned >> 32, "low": unsigned & 0xFFFF_FFFF}
