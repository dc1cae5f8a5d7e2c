"""`syncer rebuild`: load a new index and point the alias to it."""

from __future__ import annotations

import structlog
from rich.console import Console

from syncer.app.commands.summary import Summary, summary_table
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.log_events import LogEvents
from syncer.app.progress import progress
from syncer.engine.worker import Worker


def rebuild(invocation: Invocation, name: str) -> ExitCode:
    """Load a new index, which replaces the old one behind the alias once it is complete.

    The old one stays searchable until then, but nobody follows it; it is not deleted. Interrupted, `syncer run` goes
    on with the load.
    """
    with invocation.application() as (application, clock):
        (name,) = application.names([name])
        started = clock.monotonic()
        pipeline = application.pipeline(name)
        old = application.store.index(name)
        if old is not None:
            # The lease: so that no daemon follows the index that is given up.
            lease = application.store.acquire(old.name)
            application.store.forget(old.name)
            lease.release()
        with progress([name], clock, Console(stderr=True)) as shown:
            report = Worker(pipeline, LogEvents(name, shown[name])).run_once()
        if old is not None:
            structlog.get_logger(pipeline=name).info(
                "the old index is kept: delete it when it is not needed", index=old.name
            )
        summary = Summary(name, report, clock.monotonic() - started, bool(report.rejected or clock.stopping()))
    invocation.show(summary.document(), lambda: summary_table([summary]))
    return summary.exit_code
