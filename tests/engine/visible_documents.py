"""Documents of a table some of whose rows have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncer.core.change import Hydration
from syncer.core.key import Key
from syncer.engine.pipeline import Pipeline, Reader
from syncer.ports import Documents


class VisibleDocuments:
    """Leaves out rows with a value `hidden`, and cannot read those with a value `unreadable`."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def hydrate(self, keys: Sequence[Key]) -> Hydration:
        rows = self._documents.hydrate(keys).drafts
        hidden = {row.key: row.routing for row in rows if '"hidden"' in row.body}
        unreadable = {row.key: "not a number" for row in rows if '"unreadable"' in row.body and row.key not in hidden}
        drafts = [row for row in rows if row.key not in hidden and row.key not in unreadable]
        return Hydration(drafts, unreadable, {key: routing for key, routing in hidden.items() if routing is not None})


def of_visible_rows(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline with such documents."""

    def reader() -> Reader:
        inner = pipeline.reader()
        return replace(inner, documents=VisibleDocuments(inner.documents))

    return replace(pipeline, reader=reader)
