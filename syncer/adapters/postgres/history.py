"""Which runs there were, in the state schema, and the right to make one."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.held_session import HELD_SETTINGS, HeldSession, Lend
from syncer.adapters.postgres.session import STATE_SETTINGS, Session
from syncer.adapters.postgres.tables import Tables
from syncer.core.error import LeaseLost, StateUnavailable
from syncer.core.run import Run, RunOutcome


class PostgresRun:
    """A job of a pipeline, held by a session: until it is released nobody else runs it.

    Raises LeaseLost.
    """

    def __init__(
        self, held: HeldSession, another: Lend, tables: Tables, pipeline: str, job: str, redact: Callable[[str], str]
    ) -> None:
        """another: lends a connection where the held session is gone. redact: takes secrets out of what is told."""
        self._held = held
        self._another = another
        self._table = tables.runs
        self._of = {"pipeline": pipeline, "job": job}
        self._redact = redact
        self._id: int | None = None

    @property
    def held(self) -> bool:
        """Tell whether it is still held, as far as is known."""
        return self._held.held

    def settle_abandoned(self, at: datetime) -> None:
        """Mark the runs of this job that have not ended as interrupted: whoever began them is gone."""
        table = self._table
        of_job = (table.c.pipeline == self._of["pipeline"]) & (table.c.job == self._of["job"])
        with self._held.use() as connection:
            connection.execute(_interrupt(table, at).where(of_job))

    def begin(self, at: datetime, *, schedule: str | None = None, due_at: datetime | None = None) -> None:
        """Enter the run; schedule, due_at: not by hand."""
        values: dict[str, Any] = {
            **self._of,
            "schedule": schedule,
            "due_at": due_at,
            "started_at": at,
            "outcome": RunOutcome.RUNNING,
            "detail": {},
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        with self._held.use() as connection:
            self._id = connection.scalar(insert(self._table).values(values).returning(self._table.c.id))

    def end(self, at: datetime, outcome: RunOutcome, detail: Mapping[str, Any]) -> None:
        """Enter how the run has ended. Raises StateUnavailable."""
        values = {"finished_at": at, "outcome": outcome, "detail": _storable(detail, self._redact)}
        ended = update(self._table).where(self._table.c.id == self._id).values(values)
        try:
            with self._held.use() as connection:
                connection.execute(ended)
        except LeaseLost:
            # A rebuild goes on when the state comes back. The row is its own, whoever runs the job by now.
            with self._another() as connection:
                connection.execute(ended)

    def release(self) -> None:
        """Let others run it. Never raises."""
        self._held.release()


class PostgresHistory:
    """The runs of one state schema, on a session of its own, and one for each run. Safe for several threads.

    Raises StateUnavailable, and ConfigurationError without a schema.
    """

    def __init__(
        self, url: str, schema: str, *, setting: str = "state.url", redact: Callable[[str], str] = str
    ) -> None:
        """redact: takes secrets out of how a run has ended, before it is stored."""
        self._redact = redact
        self._url = url
        self._schema = schema
        self._setting = setting
        self._tables = Tables(schema)
        self._lock = threading.Lock()
        self._session = Session(url, setting=setting, settings=STATE_SETTINGS, unavailable=StateUnavailable)

    def close(self) -> None:
        """Disconnect; the next call connects again. What is held stays."""
        with self._lock:
            self._session.close()

    def hold(self, pipeline: str, job: str) -> PostgresRun:
        """Take the right to run a job of a pipeline, which only one process has. Raises LeaseHeld."""
        session = Session(
            self._url,
            setting=self._setting,
            settings=HELD_SETTINGS,
            unavailable=StateUnavailable,
            application_name=f"syncer {job} {pipeline}",
        )
        held = HeldSession(session, self._lock_on(pipeline, job), f"the {job} of pipeline {pipeline!r}")
        held.take(self._transaction)
        return PostgresRun(held, self._afresh, self._tables, pipeline, job, self._redact)

    def newest_due(self, pipeline: str, job: str, schedule: str, limit: int) -> Sequence[Run]:
        """Return the newest runs by this schedule."""
        table = self._tables.runs
        of_schedule = (table.c.pipeline == pipeline) & (table.c.job == job) & (table.c.schedule == schedule)
        with self._use() as connection:
            found = connection.execute(select(table).where(of_schedule).order_by(table.c.id.desc()).limit(limit))
            return [_from_row(row) for row in found]

    def runs(self, pipelines: Sequence[str], *, job: str | None = None, limit: int) -> Sequence[Run]:
        """Return runs of these pipelines, and of this job, the newest first."""
        table = self._tables.runs
        found = select(table).where(table.c.pipeline.in_(pipelines)).order_by(table.c.id.desc()).limit(limit)
        if job is not None:
            found = found.where(table.c.job == job)
        with self._use() as connection:
            return [_from_row(row) for row in connection.execute(found)]

    def settle_abandoned(self, at: datetime) -> None:
        """Mark runs that nobody holds, and that have not ended, as interrupted."""
        table = self._tables.runs
        running = select(table.c.id, table.c.pipeline, table.c.job).where(table.c.outcome == RunOutcome.RUNNING)
        with self._use() as connection:
            for row in connection.execute(running).all():
                if self._lock_on(row.pipeline, row.job).holder(connection) is None:
                    # By its number: the next run of the job may begin meanwhile.
                    connection.execute(_interrupt(table, at).where(table.c.id == row.id))

    def prune(self, pipeline: str, kept: int) -> int:
        """Delete all but the newest runs of a pipeline, and return how many; of each job the last due one stays."""
        table = self._tables.runs
        of_pipeline = table.c.pipeline == pipeline
        newest = select(table.c.id).where(of_pipeline).order_by(table.c.id.desc()).limit(kept)
        last_due = select(func.max(table.c.id)).where(of_pipeline, table.c.schedule.is_not(None)).group_by(table.c.job)
        old = of_pipeline & table.c.id.not_in(newest) & table.c.id.not_in(last_due)
        with self._use() as connection:
            return connection.execute(delete(table).where(old, table.c.outcome != RunOutcome.RUNNING)).rowcount

    def _lock_on(self, pipeline: str, job: str) -> AdvisoryLock:
        return AdvisoryLock.on(self._schema, "run", pipeline, job)

    @contextmanager
    def _use(self) -> Iterator[Connection]:
        with self._lock, self._session.use() as connection:
            yield connection

    @contextmanager
    def _afresh(self) -> Iterator[Connection]:
        """Lend a connection made now: the one before may be gone too, without anybody having noticed."""
        with self._lock:
            self._session.close()
        with self._use() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._lock, self._session.transaction() as connection:
            yield connection


def _interrupt(table: Any, at: datetime) -> Any:
    running = table.c.outcome == RunOutcome.RUNNING
    return update(table).where(running).values(outcome=RunOutcome.INTERRUPTED, finished_at=at)


def _from_row(row: Row[Any]) -> Run:
    return Run(
        row.pipeline,
        row.job,
        row.schedule,
        row.due_at,
        row.started_at,
        row.finished_at,
        RunOutcome(row.outcome),
        row.detail,
        row.host,
        row.pid,
    )


def _storable(value: Any, redact: Callable[[str], str]) -> Any:
    """Return a JSON value without secrets, and without the characters that JSONB refuses: ids in Elasticsearch may have
    them."""
    if isinstance(value, str):
        return redact(value).replace("\0", "\ufffd").encode(errors="replace").decode()
    if isinstance(value, Mapping):
        return {_storable(name, str): _storable(inner, redact) for name, inner in value.items()}
    return [_storable(inner, redact) for inner in value] if isinstance(value, list | tuple) else value
