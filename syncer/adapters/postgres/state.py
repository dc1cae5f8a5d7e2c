"""Everything syncer must remember, in a schema of a Postgres database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.backfill_progress import PostgresBackfillProgress
from syncer.adapters.postgres.fan_out_store import FanOutStore
from syncer.adapters.postgres.held_session import FROZEN_SECONDS, HELD_SETTINGS, HeldSession
from syncer.adapters.postgres.index_records import IndexRecords
from syncer.adapters.postgres.lease import PostgresLease
from syncer.adapters.postgres.session import STATE_SETTINGS, Session
from syncer.adapters.postgres.settlement_store import SettlementStore
from syncer.adapters.postgres.tables import Tables
from syncer.adapters.postgres.version_sequence import VersionSequence
from syncer.adapters.postgres.waiting_list import WaitingList
from syncer.core.error import IndexMissing, StateUnavailable
from syncer.core.index import IndexRecord
from syncer.core.key import Key
from syncer.core.overview import Overview
from syncer.core.position import BEGINNING
from syncer.core.settlement import DeadLetter, Settlement


class PostgresStateStore:
    """Implements `StateStore` on one session of its own, and one for each lease and backfill. Safe for several threads.

    The schema must be there: see `migrate`.
    """

    def __init__(
        self, url: str, schema: str, *, setting: str = "state.url", redact: Callable[[str], str] = str
    ) -> None:
        """redact: takes secrets out of what others say, before it is stored."""
        self._url = url
        self._schema = schema
        self._setting = setting
        self._tables = Tables(schema)
        self._records = IndexRecords(self._tables)
        self._settlements = SettlementStore(self._tables, redact)
        self._sequence = VersionSequence(schema)
        self._lock = threading.Lock()
        self._session = Session(
            url,
            setting=setting,
            settings=STATE_SETTINGS,
            unavailable=StateUnavailable,
            on_connect=self._connected,
        )
        #: On this connection. Not on every one: who only reads need not have the right to.
        self._raised = False

    def close(self) -> None:
        """Disconnect; the next call connects again. Leases and backfills stay."""
        with self._lock:
            self._session.close()

    def draw(self) -> int:
        with self._use() as connection:
            if not self._raised:
                self._sequence.raise_to_clock(connection)
                self._raised = True
            return self._sequence.draw(connection)

    def raise_above(self, version: int) -> None:
        with self._use() as connection:
            self._sequence.raise_above(connection, version)

    def index(self, pipeline: str) -> IndexRecord | None:
        indices = self._tables.indices
        with self._use() as connection:
            found = self._records.find(connection, indices.c.pipeline == pipeline, indices.c.followed)
        return next(iter(found), None)

    def named(self, index: str) -> IndexRecord | None:
        with self._use() as connection:
            found = self._records.find(connection, self._tables.indices.c.name == index)
        return next(iter(found), None)

    def indices(self, pipeline: str | None = None) -> Sequence[IndexRecord]:
        conditions = () if pipeline is None else (self._tables.indices.c.pipeline == pipeline,)
        with self._use() as connection:
            return self._records.find(connection, *conditions)

    def register(self, record: IndexRecord) -> IndexRecord:
        with self._transaction() as connection:
            self._records.lock(connection)
            return self._records.register(connection, record)

    def forget(self, index: str) -> None:
        with self._use() as connection:
            connection.execute(delete(self._tables.indices).where(self._tables.indices.c.name == index))

    def acquire(self, index: str) -> PostgresLease:
        held = self._hold(index, "lease")
        try:
            return PostgresLease(held, self._tables, self._settlements, index)
        except BaseException:
            held.release()
            raise

    def backfill(self, index: str) -> PostgresBackfillProgress:
        return PostgresBackfillProgress(self._hold(index, "backfill"), self._tables, self._settlements, index)

    def record(self, index: str, settlement: Settlement) -> int:
        assert not settlement.checkpoints
        assert settlement.reconcile is None
        with self._transaction() as connection:
            if not self._settlements.changes(connection, index, settlement):
                return self._settlements.count(connection, index)
            if not self._settlements.lock(connection, index):
                raise IndexMissing(f"the state knows no index {index}")
            return self._settlements.settle(connection, index, settlement)

    def mark_verify_needed(self, index: str, reason: str) -> None:
        indices = self._tables.indices
        with self._use() as connection:
            connection.execute(update(indices).where(indices.c.name == index).values(verify_needed=reason))

    def verified(self, record: IndexRecord, at: datetime) -> None:
        verified_at = func.greatest(self._tables.indices.c.verified_at, at)
        self._answer(record, "verify_needed", "reconcile", "truncated", verified_at=verified_at)

    def reconciled(self, record: IndexRecord) -> None:
        self._answer(record, "reconcile", "truncated")

    def _answer(self, record: IndexRecord, *asked: str, **values: ColumnElement[datetime]) -> None:
        """Store the values, and forget what has not asked again since the record was read."""
        indices = self._tables.indices
        left = {
            name: case((indices.c[name].is_distinct_from(getattr(record, name)), indices.c[name])) for name in asked
        }
        with self._use() as connection:
            connection.execute(update(indices).where(indices.c.name == record.name).values({**left, **values}))

    def least_checkpoint(self, feed: str) -> datetime | None:
        checkpoints = self._tables.checkpoints
        with self._use() as connection:
            named = (checkpoints.c.feed == feed) | func.starts_with(checkpoints.c.feed, f"{feed} by ")
            found = connection.scalars(select(checkpoints.c.watermark).where(named)).all()
        return min((watermark or BEGINNING for watermark in found), default=None)

    def passing_letters(self, index: str, at: datetime, limit: int) -> Sequence[Key]:
        with self._use() as connection:
            return self._settlements.passing(connection, index, at, limit)

    def paused(self, pipeline: str) -> datetime | None:
        pauses = self._tables.pauses
        with self._use() as connection:
            return connection.scalar(select(pauses.c.since).where(pauses.c.pipeline == pipeline))

    def pause(self, pipeline: str, at: datetime) -> datetime:
        pauses = self._tables.pauses
        new = insert(pauses).values(pipeline=pipeline, since=at)
        # DO NOTHING would return no row where one is there.
        known = new.on_conflict_do_update(index_elements=["pipeline"], set_={"since": pauses.c.since})
        with self._use() as connection:
            since: datetime = connection.execute(known.returning(pauses.c.since)).scalar_one()
        return since

    def resume(self, pipeline: str) -> bool:
        pauses = self._tables.pauses
        ended = delete(pauses).where(pauses.c.pipeline == pipeline).returning(pauses.c.pipeline)
        with self._use() as connection:
            return connection.scalar(ended) is not None

    def ask(self, pipeline: str, leases: int | None) -> None:
        with self._use() as connection:
            WaitingList.of(self._schema, pipeline).enter(connection, leases)

    def claim(self, index: str, wanted: bool) -> None:
        with self._use() as connection:
            WaitingList.for_swap(self._schema, index).enter(connection, 0 if wanted else None)

    def claimed(self, index: str) -> bool:
        with self._use() as connection:
            return WaitingList.for_swap(self._schema, index).fewest(connection, FROZEN_SECONDS) is not None

    def asking(self, pipeline: str) -> int | None:
        with self._use() as connection:
            return WaitingList.of(self._schema, pipeline).fewest(connection, FROZEN_SECONDS)

    def dead_letters(
        self,
        index: str,
        limit: int = 100,
        *,
        after: DeadLetter | None = None,
        kind: str | None = None,
        keys: Sequence[Key] | None = None,
    ) -> Sequence[DeadLetter]:
        with self._use() as connection:
            return self._settlements.dead_letters(connection, index, limit, after, kind, keys)

    def discard(self, index: str, *, kind: str | None = None, keys: Sequence[Key] | None = None) -> int:
        """Forget dead letters, those of this kind and of these keys; return how many."""
        with self._transaction() as connection:
            self._settlements.lock(connection, index)
            return self._settlements.discard(connection, index, kind, keys)

    def overview(self, index: str) -> Overview:
        """Return what else is known of an index; nothing, of an unknown one."""
        with self._use() as connection:
            return Overview(
                self._settlements.checkpoints(connection, index),
                *self._settlements.counts(connection, index),
                self._lock_on(index, "lease").holder(connection),
                FanOutStore(self._tables).count(connection, index),
            )

    def load_progress(self, index: str) -> tuple[int, int] | None:
        """Return rows settled and rows in all of an unfinished backfill; None: there is none."""
        ranges = self._tables.backfill_ranges
        sums = select(func.sum(ranges.c.settled_rows), func.sum(ranges.c.rows)).where(ranges.c.index == index)
        with self._use() as connection:
            settled, rows = connection.execute(sums).one()
        return None if rows is None else (int(settled), max(int(rows), int(settled)))

    def _hold(self, index: str, what: str) -> HeldSession:
        """Take hold of something of an index, on a session of its own."""
        session = Session(
            self._url,
            setting=self._setting,
            settings=HELD_SETTINGS,
            unavailable=StateUnavailable,
            application_name=f"syncer {what} {index}",
        )
        held = HeldSession(session, self._lock_on(index, what), f"the {what} of index {index}")
        held.take(self._transaction)
        return held

    def _lock_on(self, index: str, what: str) -> AdvisoryLock:
        return AdvisoryLock.on(self._schema, what, index)

    def _connected(self, _: Connection) -> None:
        self._raised = False

    @contextmanager
    def _use(self) -> Iterator[Connection]:
        with self._lock, self._session.use() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._lock, self._session.transaction() as connection:
            yield connection
