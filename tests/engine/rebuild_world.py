"""A world whose configuration changes: the new one has a field more in its documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from syncer.adapters.memory.sink import MemorySink
from syncer.adapters.memory.table import MemoryTable
from syncer.core.change import Document, Hydration, Write
from syncer.core.index import IndexRecord, Role
from syncer.core.key import Key
from syncer.core.outcome import Outcome, Rejected
from syncer.engine.pipeline import Pipeline, Reader, Sides
from syncer.ports import Documents
from tests.builders import World, a_comparison, a_world
from tests.engine.visible_documents import VisibleDocuments
from tests.engine.writers import Writers

ADDED = "added"
#: Rows that are never touched after the start: whatever searches find has them.
STABLE: Sequence[Key] = [(f"{number:03}",) for number in range(40, 45)]
HOT: Sequence[Key] = [(f"{number:03}",) for number in range(5)]
#: A rebuild would not end in a table that grows as fast as it reads.
WRITES_MAX = 150
_TRANSACTION_WRITES = 14


class NarrowDocuments:
    """Leaves out what the new configuration has added; the hash is of the whole row."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def hydrate(self, keys: Sequence[Key]) -> Hydration:
        found = self._documents.hydrate(keys)
        return replace(found, drafts=[replace(draft, body=_narrow(draft.body)) for draft in found.drafts])


class MemoryLifecycle:
    """Implements `Lifecycle`."""

    def __init__(self) -> None:
        #: Indices that their age would delete.
        self.ageing: set[str] = set()

    def apply(self, record: IndexRecord) -> None:
        if record.role is Role.KEPT:
            self.ageing.add(record.name)
        else:
            self.ageing.discard(record.name)

    def release(self, record: IndexRecord) -> None:
        self.ageing.discard(record.name)


class BusyWriters(Writers):
    """Change, delete and insert again the same rows, and new ones; now and then in a transaction that stays open."""

    def __init__(self, table: MemoryTable) -> None:
        super().__init__(Random(0), table)
        self.turn = 0

    def write(self) -> None:
        """Do the next thing."""
        if self.turn >= WRITES_MAX:
            return
        turn = self.turn = self.turn + 1
        hot = HOT[turn % len(HOT)]
        values: dict[str, Any] = {"n": turn, ADDED: turn}
        if turn % 3 == 1 and self.table.row(hot):
            self.table.delete(hot)
        else:
            self.table.put(hot, **values)
        if turn % 7 == 0:
            self.table.put((f"{200 + turn}",), **values)
        if turn % _TRANSACTION_WRITES == 1:
            self.begin_anew()

    def begin_anew(self) -> None:
        """Commit the transaction that is open, and open another."""
        self.end_all()
        transaction = self.table.begin()
        transaction.put((f"{400 + self.turn}",), n=self.turn, added=1)
        self.open.append(transaction)

    def end_all(self) -> None:
        """Commit what is open."""
        while self.open:
            self.open.pop().commit()


class NarrowWriters(Writers):
    """What the others have written, as the old configuration sees it."""

    def __init__(self, writers: Writers) -> None:
        super().__init__(writers.random, writers.table)
        self.open = writers.open

    def truth(self) -> dict[Key, dict[str, Any]]:
        return {
            key: {name: value for name, value in values.items() if name != ADDED}
            for key, values in super().truth().items()
        }


def a_changing_world() -> tuple[World, Pipeline, Pipeline]:
    """Return a world with rows, and its pipeline as it is and as it will be."""
    world = a_world(batch_rows=20, range_rows=12, lifecycle=MemoryLifecycle())
    world.table.triggers = True
    for key in (*STABLE, *HOT):
        world.table.put(key, n=0, added=0)
    world.table.put(("097",), n=0, added=0, unreadable=True)
    world.table.put(("098",), n=0, added=0, refused=True)
    pipeline = world.pipeline

    def a_pipeline(fingerprint: str, *, narrow: bool) -> Pipeline:
        def documents(inner: Documents) -> Documents:
            return VisibleDocuments(NarrowDocuments(inner) if narrow else inner)

        def reader() -> Reader:
            inner = pipeline.reader()
            return replace(inner, documents=documents(inner.documents))

        def sides(index: str) -> Sides:
            inner = a_comparison(world.table, world.indices.indices[index])
            return replace(inner, documents=documents(inner.documents))

        return replace(
            pipeline,
            fingerprint={"mapping": fingerprint},
            definition={"mapping": {"properties": {fingerprint: {}}}},
            reader=reader,
            sink=lambda index: MemorySink(world.indices.indices[index], _answer),
            sides=sides,
        )

    old, new = a_pipeline("old", narrow=True), a_pipeline("new", narrow=False)
    world.pipeline = old
    return world, old, new


def _narrow(body: str) -> str:
    return json.dumps({name: value for name, value in json.loads(body).items() if name != ADDED})


def _answer(write: Write) -> Outcome | None:
    if isinstance(write, Document) and '"refused"' in write.draft.body:
        return Rejected("document_parsing_exception", "not a number")
    return None
