"""Which processes wait for a lease."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

_OF_THIS_LIST = """
    l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = CAST(:unsigned AS oid)
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True, slots=True)
class WaitingList:
    """Entries are shared advisory locks: the list is one half of such a lock's name, what the entry says the other.

    So an entry costs no write, and vanishes with its session.
    """

    key: int

    @classmethod
    def of(cls, schema: str, pipeline: str) -> WaitingList:
        """Return the list of those who wait for the pipeline's lease."""
        return cls._named(schema, "waiting", pipeline)

    @classmethod
    def for_swap(cls, schema: str, index: str) -> WaitingList:
        """Return the list of those who want the lease of this index for a swap."""
        return cls._named(schema, "swap", index)

    @classmethod
    def _named(cls, *names: str) -> WaitingList:
        digest = hashlib.sha256("\0".join(("syncer", *names)).encode()).digest()
        return cls(int.from_bytes(digest[:4], signed=True))

    def enter(self, connection: Connection, leases: int | None) -> None:
        """Say that the owner of this session waits, and how many leases it has; None: it does not wait.

        Replaces what it said before.
        """
        taken_back = "SELECT pg_advisory_unlock_shared(:key, CAST(CAST(l.objid AS bigint) AS integer))"
        connection.execute(
            text(f"{taken_back} FROM pg_catalog.pg_locks l WHERE {_OF_THIS_LIST} AND l.pid = pg_backend_pid()"),
            self._names,
        )
        if leases is not None:
            connection.execute(
                text("SELECT pg_try_advisory_lock_shared(:key, :leases)"), {"key": self.key, "leases": leases}
            )

    def fewest(self, connection: Connection, fresh_seconds: float) -> int | None:
        """Return the fewest leases of one that waits, and has used its session of late; None: nobody waits."""
        least = text(
            "SELECT min(CAST(l.objid AS bigint)) "
            "FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
            f"WHERE {_OF_THIS_LIST} AND coalesce("
            "a.state_change > clock_timestamp() - make_interval(secs => CAST(:seconds AS float8)), true)"
        )
        found = connection.scalar(least, {**self._names, "seconds": fresh_seconds})
        return None if found is None else int(found)

    @property
    def _names(self) -> dict[str, Any]:
        return {"key": self.key, "unsigned": self.key & 0xFFFF_FFFF}
