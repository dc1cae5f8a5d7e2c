"""`syncer status`: how far each pipeline is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.status import PipelineStatus, pipeline_status
from syncer.core.problem import ProblemKind
from syncer.core.source_state import Blocker
from syncer.ports import Clock

#: A transaction that is open for longer is worth a line: the checkpoint waits for it.
_BLOCKED_SECONDS = 60.0

_COLOURS = {"following": "green", "loading": "cyan", "paused": "yellow", "stopped": "red", "new": "yellow"}

#: A daemon lets go of a pipeline while it waits for these.
_AWAY = {ProblemKind.TABLE, ProblemKind.SOURCE, ProblemKind.ELASTICSEARCH}
_WAITS = "a daemon that runs goes on by itself when that is mended"
_ENDED = "start syncer run; if it runs, its log has what the pipeline ended with"


def status(invocation: Invocation, requested: Sequence[str]) -> ExitCode:
    """Print the status of the pipelines."""
    with invocation.application() as (application, clock):
        found = [pipeline_status(application, clock, name) for name in application.names(requested)]
    invocation.show({"pipelines": [one.document() for one in found]}, lambda: _report(found, clock))
    return ExitCode.DONE


def _report(found: Sequence[PipelineStatus], clock: Clock) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("pipeline", "state"):
        table.add_column(heading, no_wrap=True)
    for heading in ("documents", "lag", "horizon lag", "dead letters"):
        table.add_column(heading, justify="right")
    for heading in ("verified", "index"):
        table.add_column(heading, no_wrap=True)
    for one in found:
        table.add_row(
            one.name,
            Text(one.state, _COLOURS[one.state]),
            "–" if one.documents is None else f"{one.documents:,}",
            duration(one.lag_seconds),
            duration(one.horizon_lag_seconds),
            f"{one.overview.dead_letters:,}" if one.overview else "–",
            _moment(one.record.verified_at) if one.record and one.record.verified_at else "–",
            one.record.name if one.record else "–",
        )
    lines = (f"{one.name}: {note}" for one in found for note in (*_vectors(one), *notes(one, clock)))
    return Group(table, *map(Text, lines))


def _vectors(one: PipelineStatus) -> Sequence[str]:
    """Return where the vectors came from."""
    if not one.texts or one.texts.hit_ratio is None:
        return []
    counts = f"{one.texts.embedded:,} texts embedded, {one.texts.cached:,} found in the cache"
    return [f"{counts} (hit ratio {one.texts.hit_ratio:.1%})"]


def notes(one: PipelineStatus, clock: Clock) -> Sequence[str]:
    """Return what asks for attention, a sentence each."""
    found = [problem.said for problem in one.problems]
    if one.state == "stopped":
        away = any(problem.kind in _AWAY for problem in one.problems)
        found.append(f"nobody follows it: {_WAITS if away else _ENDED}")
    if one.paused_since:
        found.append(f"paused since {_moment(one.paused_since)}: syncer resume {one.name}")
    if one.load:
        found.append(f"{one.load[0]:,} of {one.load[1]:,} rows are loaded")
    if one.building and not one.building.abandoned:
        found.append(": ".join(filter(None, (one.building.what, one.building.remedy))))
    if one.record and one.record.filling:
        found.append("fields were added, and a backfill has still to fill them")
    if one.deviation:
        lines = "".join(f"\n  {line}" for line in one.deviation.differences)
        what = f"{one.deviation.consequence}: {one.deviation.remedy}"
        found.append(f"the index was built from another configuration; {what}{lines}")
    if one.texts and one.texts.truncated:
        found.append(
            f"texts whose end the model did not read: {one.texts.truncated:,}; embedding.chunk splits all but the "
            "longest of them, or shorten embedding.text"
        )
    if one.overview and one.overview.passing:
        found.append(f"dead letters that are delivered again by themselves: {one.overview.passing:,}")
    if one.record and one.record.reconcile:
        what = "was truncated at" if one.record.truncated else "is followed anew since"
        since = _moment(one.record.truncated or one.record.reconcile)
        found.append(f"is to be compared with its source: a table {what} {since}")
    if one.overview and one.overview.fan_outs:
        found.append(f"changed rows whose documents are still being refreshed: {one.overview.fan_outs:,}")
    if one.record and one.record.verify_needed:
        found.append(f"should be compared with its source: {one.record.verify_needed}")
    if one.uncounted:
        found.append("rows that polling does not find are not counted, for it takes too long; syncer check counts them")
    if one.unreachable:
        for what, count in (
            ("rows without a watermark, which are never polled", one.unreachable.missing),
            ("rows with an infinite watermark, which are never polled", one.unreachable.infinite),
            ("rows with a watermark in the future, which are polled when it has come", one.unreachable.future),
        ):
            if count:
                found.append(f"{what}: {count:,}")
    found += [_blocked(blocker, clock) for blocker in one.blockers or () if _old(blocker, clock)]
    return found


def _old(blocker: Blocker, clock: Clock) -> bool:
    return blocker.since is not None and clock.now() - blocker.since > timedelta(seconds=_BLOCKED_SECONDS)


def _blocked(blocker: Blocker, clock: Clock) -> str:
    assert blocker.since is not None
    who = f"{blocker.application_name or 'a session'} (pid {blocker.pid}, {blocker.state})"
    return f"the checkpoint waits for {who}, open for {duration((clock.now() - blocker.since).total_seconds())}"


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float | None) -> str:
    """Return a length of time as people say it."""
    if seconds is None:
        return "–"
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
