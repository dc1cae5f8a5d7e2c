"""`syncer verify`: compare the index with its table, and mend it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from syncer.app.commands.following import followed_index
from syncer.app.exit_code import ExitCode, exit_code
from syncer.app.invocation import Invocation
from syncer.app.printable import printable
from syncer.app.progress import progress
from syncer.app.recorded import recorded
from syncer.core.comparison import Difference
from syncer.core.error import ConfigurationError, SyncerError
from syncer.core.index import IndexRecord
from syncer.core.run import RunJob
from syncer.engine.pipeline import Pipeline
from syncer.engine.verify import MOVING, UNREADABLE, Verification, Verified

#: Ids of each kind in the text; the JSON has more.
_NAMED = 5


def verify(invocation: Invocation, name: str, *, deep: bool, repair: bool, force: bool) -> ExitCode:
    """Print what differs, and what was mended of it."""
    if force and not repair:
        raise ConfigurationError("--force is for --repair: nothing is deleted without it", hint="add --repair")
    with invocation.application() as (application, clock):
        (name,) = application.names([name])
        pipeline = application.pipeline(name)
        # Before anything is read: what asks for a comparison from now on is not answered by this one.
        record = followed_index(pipeline)
        with (
            recorded(application, clock, name, RunJob.VERIFY) as run,
            progress([name], clock, Console(stderr=True), event="comparing") as shown,
        ):
            outcome = compare(pipeline, record, deep=deep, repair=repair, force=force, on_progress=shown[name])
            shown[name].done()
            run.ended(outcome.exit_code, outcome.document())
    invocation.show(outcome.document(), outcome.table)
    if outcome.failure is not None:
        invocation.tell(outcome.failure)
    return outcome.exit_code


def compare(
    pipeline: Pipeline,
    record: IndexRecord,
    *,
    deep: bool = False,
    repair: bool = False,
    force: bool = False,
    on_progress: Callable[[int, int], None],
) -> Outcome:
    """Compare the index with its table, and mend it where that is wanted; an error is part of the outcome."""
    started = pipeline.clock.monotonic()
    error: SyncerError | None = None
    with closing(pipeline.sides(record.name)) as sides:
        verification = Verification(
            pipeline,
            sides,
            record,
            deep=deep,
            repair=repair,
            delete_ratio=None if force else pipeline.limits.delete_ratio,
            on_progress=on_progress,
        )
        try:
            verification.run()
        except SyncerError as raised:
            error = raised
    return Outcome(pipeline.name, verification.verified, pipeline.clock.monotonic() - started, repair, error)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a comparison has come to."""

    pipeline: str
    verified: Verified
    seconds: float
    repair: bool
    error: SyncerError | None

    @property
    def failure(self) -> SyncerError | None:
        """Why it came to no end, or did not delete."""
        return self.error or self.verified.refused

    @property
    def exit_code(self) -> ExitCode:
        if self.failure is not None:
            return exit_code(self.failure)
        return ExitCode.DONE if self.verified.equal else ExitCode.REMAINDER

    def document(self) -> Mapping[str, Any]:
        """Return the fields that scripts rely on; with `error` where it failed, or did not delete."""
        found = self.verified
        return {
            "pipeline": self.pipeline,
            "source_rows": found.source_rows,
            "left_out": found.left_out,
            "indexed": found.indexed,
            **{str(kind): found.differences[kind] for kind in Difference},
            UNREADABLE: found.unreadable,
            MOVING: found.moving,
            "repaired": found.repaired,
            "complete": found.complete,
            "samples": {kind: list(ids) for kind, ids in found.samples.items()},
            "seconds": round(self.seconds, 3),
            **({"error": self.failure.message} if self.failure else {}),
        }

    def table(self) -> Table:
        """Return a line for each kind of difference, and one for all."""
        found = self.verified
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(justify="right")
        table.add_column(overflow="fold")
        table.add_row(f"{found.source_rows:,}", "rows")
        if found.left_out:
            table.add_row(f"{found.left_out:,}", "rows that the transform leaves out")
        table.add_row(f"{found.indexed:,}", "documents")
        counts = {str(kind): found.differences[kind] for kind in Difference}
        for kind, count in {**counts, UNREADABLE: found.unreadable, MOVING: found.moving}.items():
            if count:
                named = found.samples[kind]
                more = ", …" if count > _NAMED else ""
                table.add_row(f"{count:,}", Text(f"{kind}: {', '.join(map(printable, named[:_NAMED]))}{more}"))
        if self.repair:
            table.add_row(f"{found.repaired:,}", "repaired")
        table.add_row("", f"{self._word()} ({self.seconds:,.1f} s)")
        return table

    def _word(self) -> str:
        if not self.verified.complete:
            return "not compared to the end"
        return "equal" if self.verified.equal else f"{self.verified.remaining:,} differ"
