"""What a command that delivers rows tells at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from syncer.app.exit_code import ExitCode, exit_code
from syncer.core.report import Report


@dataclass(frozen=True, slots=True)
class Summary:
    """What was delivered for one pipeline."""

    pipeline: str
    report: Report
    seconds: float
    #: Rejections remain, or not everything was done.
    remainder: bool = False
    error: Exception | None = None

    @property
    def exit_code(self) -> ExitCode:
        if self.error is not None:
            return exit_code(self.error)
        return ExitCode.REMAINDER if self.remainder else ExitCode.DONE

    def document(self) -> Mapping[str, Any]:
        """Return the fields that scripts rely on; with `error` where it failed."""
        counts = {name: getattr(self.report, name) for name in COUNTS}
        failure = {"error": str(getattr(self.error, "message", self.error))} if self.error else {}
        return {"pipeline": self.pipeline, **counts, "seconds": round(self.seconds, 3), **failure}


COUNTS = ("read", "applied", "unchanged", "stale", "rejected", "embedded", "cached", "truncated")
#: Shown to people where there are any.
_SELDOM = ("unchanged", "truncated")


def summary_table(summaries: Sequence[Summary]) -> Table:
    """Return a line for each pipeline."""
    shown = [name for name in COUNTS if name not in _SELDOM or any(getattr(s.report, name) for s in summaries)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("pipeline")
    for name in (*shown, "seconds"):
        table.add_column(name, justify="right")
    for summary in summaries:
        counts = [f"{getattr(summary.report, name):,}" for name in shown]
        table.add_row(summary.pipeline, *counts, f"{summary.seconds:,.1f}")
    return table
