"""Compares an index with its table where a truncate, triggers that were installed, or an added feed ask for it."""

from __future__ import annotations

from collections.abc import Callable

from syncer.engine.events import Events
from syncer.engine.pipeline import Pipeline
from syncer.engine.verify import reconcile


def reconcile_asked(pipeline: Pipeline, index: str, events: Events, stopping: Callable[[], bool] | None = None) -> None:
    """Make the index equal to its table, and forget that this was asked for; nothing, where it was not.

    Once more, where it is asked for again meanwhile. stopping: in place of the process's own.
    """
    while (record := pipeline.store.named(index)) is not None and record.reconcile is not None:
        verified = reconcile(pipeline, record, stopping=stopping)
        if not verified.complete:
            return
        if verified.refused is not None:
            # In place of another attempt, which would read both sides to be refused again.
            pipeline.store.mark_verify_needed(index, f"{verified.refused.message}; {verified.refused.hint}")
        pipeline.store.reconciled(record)
        events.reconciled(verified)
