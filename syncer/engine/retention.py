"""Deletes kept indices that are not needed any more."""

from __future__ import annotations

from collections.abc import Sequence

from syncer.core.error import LeaseError
from syncer.core.index import IndexRecord, Phase, Role, kept_newest_first
from syncer.engine.events import Events
from syncer.engine.insist import Stopped
from syncer.engine.pipeline import Pipeline
from syncer.engine.swap import handed_over
from syncer.ports import Lease


def retire(pipeline: Pipeline, events: Events) -> Sequence[str]:
    """Delete the kept indices that are too many or too old, and forget those that are gone; return their names.

    One whose lease its holder does not hand over is left for the next time.
    """
    deleted = []
    for record, why in _superfluous(pipeline):
        try:
            with handed_over(pipeline, record.name) as lease:
                known = pipeline.store.named(record.name)
                if known is None or known.role is not Role.KEPT:
                    continue  # somebody rolled back to it meanwhile
                discard(pipeline, lease, record, events, why)
        except (LeaseError, Stopped):
            continue  # also where another process has deleted it meanwhile
        deleted.append(record.name)
    return deleted


def discard(pipeline: Pipeline, lease: Lease, record: IndexRecord, events: Events, why: str) -> None:
    """Delete an index, and forget it; killed in between, whoever meets it next goes on. Raises LeaseLost."""
    # Fenced, so that nobody has chosen it meanwhile, and from now on nobody does.
    lease.update(phase=Phase.DELETING)
    pipeline.indices.delete(record.name)
    pipeline.store.forget(record.name)
    events.discarded(record, why)


def _superfluous(pipeline: Pipeline) -> Sequence[tuple[IndexRecord, str]]:
    kept = kept_newest_first(pipeline.store.indices(pipeline.name))
    there = pipeline.indices.statistics([record.name for record in kept]) if kept else {}
    searched = {index for alias in {each.alias for each in kept} for index in pipeline.indices.targets(alias).indices}
    retention, now = pipeline.retention, pipeline.clock.now()
    found = []
    place = 0
    for record in kept:
        if record.name not in there:
            found.append((record, "it was gone already"))
            continue
        if record.phase is Phase.DELETING:
            found.append((record, "its deletion was interrupted"))
            continue
        place += 1
        if record.name in searched:
            continue  # a swap was interrupted, or somebody has pointed the alias back to it
        if place > retention.indices:
            found.append((record, f"{retention.indices} newer ones are kept"))
        elif record.kept_since is not None and now - record.kept_since > retention.age:
            found.append((record, f"it was kept since {record.kept_since:%Y-%m-%d %H:%M:%S} UTC"))
    return found
