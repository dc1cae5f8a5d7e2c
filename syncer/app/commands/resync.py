"""`syncer resync`: deliver some rows now."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from syncer.adapters.postgres.keys import PostgresKeyFeed, PostgresKeyList
from syncer.adapters.postgres.session import Session
from syncer.app.commands.following import followed_index
from syncer.app.commands.summary import Summary, summary_table
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.core.error import ConfigurationError
from syncer.core.table import Table
from syncer.engine.resync import resync as deliver
from syncer.ports import KeyFeed


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows; exactly one of them is given."""

    #: Separated by commas.
    ids: str | None = None
    ids_file: Path | None = None
    where: str | None = None
    since: str | None = None

    def feed(self, session: Session, table: Table) -> KeyFeed:
        """Return their keys. Raises ConfigurationError."""
        if self.ids is not None:
            return PostgresKeyList(session, table, [id_.strip() for id_ in self.ids.split(",") if id_.strip()])
        if self.ids_file is not None:
            return PostgresKeyList(session, table, _lines(self.ids_file), option="--ids-file")
        if self.where is not None:
            return PostgresKeyFeed(session, table, where=self.where)
        if table.watermark is None:
            raise ConfigurationError(
                f"--since: {table} has no watermark", hint="name the rows by --where, --ids or --ids-file"
            )
        return PostgresKeyFeed(session, table, since=_time(self.since or ""))


def resync(invocation: Invocation, name: str, rows: Rows) -> ExitCode:
    """Deliver the rows into the pipeline's index, beside the daemon."""
    if sum(option is not None for option in (rows.ids, rows.ids_file, rows.where, rows.since)) != 1:
        raise ConfigurationError(
            "resync needs to know which rows", hint="give one of --ids, --ids-file, --where, --since"
        )
    with invocation.application() as (application, clock):
        (name,) = application.names([name])
        started = clock.monotonic()
        plan = application.blueprint(name)
        pipeline = application.build(plan)
        record = followed_index(pipeline)
        session = application.source_session()
        reader = pipeline.reader()
        try:
            report = deliver(pipeline, reader.documents, record.name, rows.feed(session, plan.table))
        finally:
            reader.close()
            session.close()
        summary = Summary(name, report, clock.monotonic() - started, bool(report.rejected or clock.stopping()))
    invocation.show(summary.document(), lambda: summary_table([summary]))
    return summary.exit_code


def _lines(path: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--ids-file: cannot read {path}: {error}") from error
    # Not splitlines(): a key may hold what Unicode counts as the end of a line.
    return [line.removesuffix("\r") for line in text.split("\n") if line.strip()]


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"--since {text!r} is not a time", hint="write 2026-01-31T12:00:00Z") from error
    # The zone of whoever types differs from the server's more often than not.
    return time if time.tzinfo else time.replace(tzinfo=UTC)
