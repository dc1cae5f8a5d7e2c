"""Compares an index with its table after it was truncated."""

from __future__ import annotations

from collections.abc import Callable

from syncer.engine.events import Events
from syncer.engine.pipeline import Pipeline
from syncer.engine.verify import reconcile


def reconcile_truncated(
    pipeline: Pipeline, index: str, events: Events, stopping: Callable[[], bool] | None = None
) -> None:
    """Make the index equal to its truncated table, and forget that this was asked for; nothing, where it was not.

    Once more, where the table is truncated again meanwhile. stopping: in place of the process's own.
    """
    while (record := pipeline.store.named(index)) is not None and record.reconcile is not None:
        verified = reconcile(pipeline, record, stopping=stopping)
        if not verified.complete:
            return
        pipeline.store.reconciled(record)
        events.reconciled(verified)
