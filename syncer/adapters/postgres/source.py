"""The source database as a whole: its clock, the transactions that are open in it, and which server it is."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from syncer.adapters.postgres.session import Session
from syncer.core.error import ConfigurationError
from syncer.core.source_state import Blocker, Observation, SourceIdentity

# Which transactions can still make rows appear, each with a name of its own and, where this role may see it, its start.
# Locks on virtual transactions and pg_prepared_xacts are open to every role; the times in pg_stat_activity are not.
#
# - The first two arms name a transaction alike before and after PREPARE. They are read in this order (an Append runs
#   its arms one after the other): a transaction that is prepared in between is met in both, never in neither. Rejected:
#   transactions that hold a lock on the table; one that has not touched it yet may still write with its old now().
# - The third arm holds what the first one cannot: a message of several transactions stamps all of them with the time it
#   arrived, and COMMIT AND CHAIN dates the next one from before its commit. So every session at work counts from when
#   its message arrived. A replication sender that has no transaction is always at work, and writes nothing.
# - Autovacuum has no user and stamps nothing; neither does anybody in another database.
_OPEN = """
SELECT l.virtualtransaction AS name, a.pid, a.application_name, a.state, NULL::timestamptz AS prepared,
       a.xact_start AS since
  FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
 WHERE l.locktype = 'virtualxid' AND l.granted AND l.pid <> pg_backend_pid()
   AND a.datname = current_database() AND a.usesysid IS NOT NULL
UNION ALL
SELECT l.virtualtransaction, NULL, '', format('prepared as %L', p.gid), p.prepared, NULL
  FROM pg_locks AS l JOIN pg_prepared_xacts AS p ON p.transaction = l.transactionid
 WHERE l.locktype = 'transactionid' AND l.pid IS NULL AND p.database = current_database()
UNION ALL
SELECT concat('activity ', pid, ' ', coalesce(xact_start, query_start)), pid, application_name, state, NULL,
       least(xact_start, query_start)
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
   AND (xact_start IS NOT NULL OR state = 'active' AND backend_type <> 'walsender')
"""

# The clock is that of this statement's arrival, so it was read before anything is listed, in whatever order the planner
# puts the rest. clock_timestamp() in the same SELECT could be evaluated last. The outer join keeps the clock when
# nothing is open.
_OBSERVE = text(f"""
SELECT statement_timestamp() AS clock, o.name, o.since, o.prepared
  FROM (VALUES (1)) AS once LEFT JOIN ({_OPEN}) AS o ON true
""")

# What is listed by its lock and by its session is shown once. Of a prepared transaction's age only the end is known.
_BLOCKERS = text(f"""
SELECT pid, min(application_name) AS application_name, coalesce(min(state), '') AS state,
       min(coalesce(since, prepared)) AS since
  FROM ({_OPEN}) AS o
 GROUP BY pid, CASE WHEN pid IS NULL THEN name END
 ORDER BY since, pid
 LIMIT :limit
""")

# pg_control_checkpoint() would name the timeline of the last checkpoint, which may be older than a promotion.
_IDENTITY = text("""
SELECT system_identifier::text, pg_postmaster_start_time() AS started_at,
       substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline
  FROM pg_control_system()
""")


def refuse_standby(connection: Connection) -> None:
    """Raise ConfigurationError on a standby: for the `on_connect` of every session that reads the source.

    It shows neither the transactions open on its primary nor rows before they are replayed, so that it would let an old
    row win over a new one.
    """
    if connection.scalar(text("SELECT pg_is_in_recovery()")):
        raise ConfigurationError(
            "source.url leads to a standby, which shows neither the transactions open on its primary nor rows before "
            "they are replayed",
            hint="point source.url at the primary (target_session_attrs=read-write chooses it)",
        )


class PostgresSource:
    """Implements `Source`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def identity(self) -> SourceIdentity:
        """Return which server this is, in which life."""
        with self._session.use() as connection:
            row = connection.execute(_IDENTITY).one()
        return SourceIdentity(row.system_identifier, row.started_at, int(row.timeline, 16))

    def observe(self) -> Observation:
        """Return the clock and then the open transactions, in this order, in one statement."""
        with self._session.use() as connection:
            rows = connection.execute(_OBSERVE).all()
        found = [row for row in rows if row.name is not None]
        prepared = frozenset(row.name for row in found if row.prepared is not None)
        return Observation(rows[0].clock, {row.name: row.since for row in found}, prepared)

    def blockers(self, limit: int = 5) -> Sequence[Blocker]:
        """Return the transactions that hold the horizon, the oldest first; last those whose start is hidden."""
        with self._session.use() as connection:
            rows = connection.execute(_BLOCKERS, {"limit": limit}).all()
        return [Blocker(row.pid, row.application_name, row.state, row.since) for row in rows]
