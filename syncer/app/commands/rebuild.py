"""`syncer rebuild`, `promote` and `rollback`: let searches find another index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from syncer.app.commands.summary import Summary, summary_table
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.log_events import LogEvents
from syncer.app.progress import progress
from syncer.app.recorded import recorded
from syncer.app.wiring import Application
from syncer.core.error import SyncerError
from syncer.core.index import Phase
from syncer.core.run import RunJob, RunOutcome
from syncer.engine import rebuild as engine
from syncer.engine.events import Events
from syncer.engine.persevere import persevere
from syncer.engine.pipeline import Pipeline
from syncer.engine.rebuild import Rebuilt

Act = Callable[[Pipeline, Events], Rebuilt]


#: The newest runs among which the one before is looked for: between the two a daemon may have had some of its own.
_RUNS = 20


def rebuild(
    invocation: Invocation, name: str, *, swaps: bool, restart: bool, take_over: bool, workers: int
) -> ExitCode:
    """Build an index beside the one that is searched, and let it take its place; goes on with an unfinished one."""

    def act(pipeline: Pipeline, events: Events) -> Rebuilt:
        def attempt(begun: bool) -> Rebuilt:
            again = restart and not begun
            return engine.rebuild(pipeline, events, swaps=swaps, restart=again, take_over=take_over, workers=workers)

        return persevere(pipeline, events, attempt)

    return _act(invocation, name, RunJob.REBUILD, act, finish=swaps and not restart)


def promote(invocation: Invocation, name: str, *, take_over: bool) -> ExitCode:
    """Let the index take its place that waits; or point the alias to the live one again."""

    def act(pipeline: Pipeline, events: Events) -> Rebuilt:
        return persevere(pipeline, events, lambda _begun: engine.promote(pipeline, events, take_over=take_over))

    return _act(invocation, name, RunJob.PROMOTE, act)


def abandon(invocation: Invocation, name: str) -> ExitCode:
    """Delete the index that is not finished, or waits to be promoted."""

    def act(pipeline: Pipeline, events: Events) -> Rebuilt:
        return persevere(pipeline, events, lambda _begun: engine.abandon(pipeline, events))

    return _act(invocation, name, RunJob.ABANDON, act)


def rollback(invocation: Invocation, name: str, *, take_over: bool) -> ExitCode:
    """Let the index take its place again that was kept last."""

    def act(pipeline: Pipeline, events: Events) -> Rebuilt:
        return persevere(pipeline, events, lambda _begun: engine.rollback(pipeline, events, take_over=take_over))

    return _act(invocation, name, RunJob.ROLLBACK, act)


def _act(invocation: Invocation, name: str, job: RunJob, act: Act, *, finish: bool = False) -> ExitCode:
    with invocation.application() as (application, clock):
        (name,) = application.names([name])
        started = clock.monotonic()
        pipeline = application.pipeline(name)
        # A bar would break what a script reads.
        console = Console(stderr=True, force_terminal=False if invocation.json else None)
        with (
            recorded(application, clock, name, job) as run,
            progress([name], clock, console) as loading,
            progress([name], clock, console, event="comparing") as comparing,
        ):
            finished = _finished(application, pipeline) if finish else None
            rebuilt = finished or act(pipeline, LogEvents(name, loading[name], comparing[name]))
            outcome = _Outcome(name, rebuilt, clock.monotonic() - started, _is_kept(pipeline, rebuilt.old))
            run.ended(outcome.exit_code, outcome.document())
    invocation.show(outcome.document(), outcome.text)
    return outcome.exit_code


def _finished(application: Application, pipeline: Pipeline) -> Rebuilt | None:
    """Return what the last rebuild has done, where it was interrupted after the swap: only its report was missing.

    Else whoever runs a killed command again would build another index, and retention delete the one of before.
    """
    runs = application.history.runs([pipeline.name], job=RunJob.REBUILD, limit=_RUNS)
    runs = [run for run in runs if run.schedule is None]  # the newest is this one
    if len(runs) < 2 or runs[1].outcome is not RunOutcome.INTERRUPTED:
        return None
    live = pipeline.store.index(pipeline.name)
    if live is None or live.phase is not Phase.LIVE or live.fingerprint != dict(pipeline.fingerprint):
        return None
    since = runs[1].started_at
    replaced = [each for each in pipeline.store.indices(pipeline.name) if each.kept_since and each.kept_since >= since]
    return Rebuilt(live.name, Phase.LIVE, old=replaced[-1].name) if replaced else None


def _is_kept(pipeline: Pipeline, old: str | None) -> bool:
    """Tell whether the index from before is there to be rolled back to: retention may have deleted it at once."""
    try:
        record = pipeline.store.named(old) if old is not None else None
    except SyncerError:
        return False  # the other one is in its place, whatever this look meets
    return record is not None and record.phase is Phase.KEPT


@dataclass(frozen=True, slots=True)
class _Outcome:
    pipeline: str
    rebuilt: Rebuilt
    seconds: float
    #: The index from before, to be rolled back to.
    kept: bool

    @property
    def exit_code(self) -> ExitCode:
        return self._summary.exit_code

    @property
    def _summary(self) -> Summary:
        report = self.rebuilt.report
        return Summary(self.pipeline, report, self.seconds, bool(report.rejected) or not self.rebuilt.complete)

    def document(self) -> Mapping[str, Any]:
        """Return the index and what has become of it; `compared` is null where it was not compared."""
        rebuilt = self.rebuilt
        verified = rebuilt.verified
        return {
            **self._summary.document(),
            "index": rebuilt.index,
            "phase": rebuilt.phase.value,
            "replaced": rebuilt.old if rebuilt.phase is Phase.LIVE else None,
            "kept": self.kept,
            "complete": rebuilt.complete,
            "compared": verified
            and {
                "source_rows": verified.source_rows,
                "indexed": verified.indexed,
                "repaired": verified.repaired,
                "rejected": verified.rejected,
                "unreadable": verified.unreadable,
            },
        }

    def text(self) -> RenderableType:
        return Group(summary_table([self._summary]), Text(self._sentence()))

    def _sentence(self) -> str:
        rebuilt = self.rebuilt
        if not rebuilt.complete:
            return f"index {rebuilt.index} is not complete: the same command goes on with it"
        if rebuilt.phase is Phase.READY:
            return f"index {rebuilt.index} waits: syncer promote {self.pipeline}"
        if rebuilt.phase is Phase.DELETING:
            return f"index {rebuilt.index} is deleted"
        if rebuilt.old is None:
            return f"searches find index {rebuilt.index}"
        if not self.kept:
            return f"searches find index {rebuilt.index} in place of {rebuilt.old}"
        return f"searches find index {rebuilt.index}; {rebuilt.old} is kept: syncer rollback {self.pipeline}"
