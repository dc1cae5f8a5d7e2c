"""`syncer verify`: compare the index with its table, and mend it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
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
from syncer.core.comparison import Difference
from syncer.core.error import ConfigurationError, SyncerError
from syncer.engine.verify import MOVING, UNREADABLE, Verification, Verified

#: Ids of each kind in the text; the JSON has more.
_NAMED = 5


def verify(invocation: Invocation, name: str, *, deep: bool, repair: bool, force: bool) -> ExitCode:
    """Print what differs, and what was mended of it."""
    if force and not repair:
        raise ConfigurationError("--force is for --repair: nothing is deleted without it", hint="add --repair")
    # Rows and documents pass by as small objects without cycles; to look for some takes half of the processor's time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with invocation.application() as (application, clock):
        (name,) = application.names([name])
        started = clock.monotonic()
        pipeline = application.pipeline(name)
        # Before anything is read: what asks for a comparison from now on is not answered by this one.
        record = followed_index(pipeline)
        error: SyncerError | None = None
        with (
            closing(pipeline.sides(record.name)) as sides,
            progress([name], clock, Console(stderr=True), event="comparing") as shown,
        ):
            verification = Verification(
                pipeline,
                sides,
                record,
                deep=deep,
                repair=repair,
                delete_ratio=None if force else pipeline.limits.delete_ratio,
                on_progress=shown[name],
            )
            try:
                verification.run()
            except SyncerError as raised:
                error = raised
            shown[name].done()
        outcome = _Outcome(name, verification.verified, clock.monotonic() - started, repair, error)
    invocation.show(outcome.document(), outcome.table)
    if error is not None or outcome.verified.refused is not None:
        sys.stderr.write(f"syncer: {invocation.redact(str(error or outcome.verified.refused))}\n")
    return outcome.exit_code


@dataclass(frozen=True, slots=True)
class _Outcome:
    pipeline: str
    verified: Verified
    seconds: float
    repair: bool
    error: SyncerError | None

    @property
    def exit_code(self) -> ExitCode:
        if failure := self.error or self.verified.refused:
            return exit_code(failure)
        return ExitCode.DONE if self.verified.equal else ExitCode.REMAINDER

    def document(self) -> Mapping[str, Any]:
        """Return the fields that scripts rely on; with `error` where it failed, or did not delete."""
        found = self.verified
        failure = self.error or found.refused
        return {
            "pipeline": self.pipeline,
            "source_rows": found.source_rows,
            "indexed": found.indexed,
            **{str(kind): found.differences[kind] for kind in Difference},
            UNREADABLE: found.unreadable,
            MOVING: found.moving,
            "repaired": found.repaired,
            "complete": found.complete,
            "samples": {kind: list(ids) for kind, ids in found.samples.items()},
            "seconds": round(self.seconds, 3),
            **({"error": failure.message} if failure else {}),
        }

    def table(self) -> Table:
        """Return a line for each kind of difference, and one for all."""
        found = self.verified
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(justify="right")
        table.add_column(overflow="fold")
        table.add_row(f"{found.source_rows:,}", "rows")
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
