"""What the daemon does for a pipeline now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

from syncer.app.commands.backfill import deliver_all
from syncer.app.commands.following import followed_index
from syncer.app.commands.verify import compare
from syncer.app.exit_code import ExitCode
from syncer.app.log_events import LogEvents
from syncer.app.progress import LoadLines
from syncer.app.recorded import Recorder
from syncer.app.schedule import Schedule, Task
from syncer.app.schedule_settings import Job
from syncer.app.wiring import Application
from syncer.core.error import FatalError, FingerprintMismatch, LeaseHeld, Paused
from syncer.core.fingerprint import differences
from syncer.core.index import IndexRecord, Phase
from syncer.engine.insist import Stopped
from syncer.engine.letters import close_letters
from syncer.engine.look import Looker
from syncer.engine.pipeline import Pipeline
from syncer.engine.repair import Repair
from syncer.engine.retention import retire
from syncer.ports import Clock

#: Runs of each pipeline.
RUNS_KEPT = 1_000
_VECTORS_AT_ONCE = 5_000


def schedule(
    application: Application, names: Sequence[str], clock: Clock, of_pipeline: Callable[[str], Application]
) -> Schedule:
    """Return what runs the jobs of these pipelines when they are due.

    of_pipeline: the application that a pipeline belongs to by then; another one, once the configuration was read again.
    """
    tasks = [
        Task(name, job, cron, settings.jitter)
        for name in names
        for settings in [application.settings.pipelines[name].schedule]
        for job, cron in settings.crons().items()
        if cron is not None
    ]
    return Schedule(
        tasks,
        application.history,
        clock,
        lambda task, recorder: do(of_pipeline(task.pipeline), task.pipeline, Job(task.job), recorder),
        # A process with another configuration would use up the due times of those that can do the job.
        lambda task: _is_of_this_configuration(of_pipeline(task.pipeline), task.pipeline),
    )


def _is_of_this_configuration(application: Application, name: str) -> bool:
    record = application.store.index(name)
    if record is None or not record.fingerprint or application.store.paused(name) is not None:
        return True  # and the run says why it is skipped
    return not differences(record.fingerprint, application.blueprint(name).fingerprint)


def do(application: Application, name: str, job: Job, recorder: Recorder) -> None:
    """Do a pipeline's job, and tell the recorder how it ended; by the recorder's clock, which may stop it.

    Skipped where the pipeline is paused, its index not loaded or built from another configuration, or where another
    process does what excludes the job. Raises what is neither foreseen nor the job's own report.
    """
    try:
        _prove_not_paused(application, name)
        pipeline = replace(application.pipeline(name), clock=recorder.clock)
        record = _index(pipeline)
        match job:
            case Job.BACKFILL:
                summary = deliver_all(pipeline, record, on_progress=LoadLines(name, recorder.clock, "backfilling"))
                recorder.ended(summary.exit_code, summary.document())
            case Job.VERIFY:
                repair = application.settings.pipelines[name].schedule.repair
                lines = LoadLines(name, recorder.clock, "comparing")
                outcome = compare(pipeline, record, repair=repair, on_progress=lines)
                recorder.ended(outcome.exit_code, outcome.document())
            case Job.RETENTION:
                deleted = retire(pipeline, LogEvents(name, LoadLines(name, recorder.clock)))
                recorder.ended(ExitCode.DONE, {"pipeline": name, "deleted": list(deleted)})
            case Job.PRUNE:
                document, complete = _prune(application, pipeline, record)
                recorder.ended(ExitCode.DONE if complete else ExitCode.REMAINDER, document)
    except (_NotLoaded, FingerprintMismatch, LeaseHeld, Paused) as reason:
        recorder.skipped(reason)


class _NotLoaded(FatalError):
    """There is no index that a job could work on."""


def _prove_not_paused(application: Application, name: str) -> None:
    # Before the pipeline is put together: it may be paused because its source is away.
    since = application.store.paused(name)
    if since is not None:
        raise Paused(f"the pipeline is paused since {since:%Y-%m-%d %H:%M:%S} UTC")


def _index(pipeline: Pipeline) -> IndexRecord:
    record = pipeline.store.index(pipeline.name)
    if record is None or record.phase is not Phase.LIVE:
        raise _NotLoaded("the pipeline has no loaded index yet")
    return followed_index(pipeline)


def _prune(application: Application, pipeline: Pipeline, record: IndexRecord) -> tuple[Mapping[str, Any], bool]:
    """Clear what is not needed any more; returns what was cleared, and whether it came to its end."""
    clock = pipeline.clock
    document: dict[str, Any] = {"pipeline": pipeline.name, "vectors": 0, "dead_letters": 0, "runs": 0}
    with closing(pipeline.sides(record.name)) as sides:
        looker = Looker(sides, None, pipeline.transform, deep=False, rows=pipeline.limits.poll.batch_rows)
        repair = Repair(pipeline, sides.documents, looker, record)
        try:
            document["dead_letters"] = close_letters(pipeline, record, looker, repair, clock.stopping)
        except Stopped:
            return document, False
    document["runs"] = application.history.prune(pipeline.name, RUNS_KEPT)
    bounds, cache = application.settings.embedding.cache, application.vector_cache
    before, deleted = clock.now() - timedelta(seconds=bounds.age), _VECTORS_AT_ONCE
    before = max(before, cache.exceeded_before(bounds.size) or before)
    while deleted == _VECTORS_AT_ONCE and not clock.stopping():
        deleted = cache.prune(before, _VECTORS_AT_ONCE)
        document["vectors"] += deleted
    return document, deleted < _VECTORS_AT_ONCE
