"""A whole pipeline in memory, each part of which a test may replace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from syncer.adapters.memory.clock import MemoryClock
from syncer.adapters.memory.digests import MemoryIndexDigests, MemorySourceDigests
from syncer.adapters.memory.embedder import MemoryEmbedder
from syncer.adapters.memory.related import MemoryRelatedFeed, MemoryRelatedTombstones
from syncer.adapters.memory.sink import MemoryIndex, MemoryIndices, MemorySink
from syncer.adapters.memory.source import (
    MemoryChangeFeed,
    MemoryDocuments,
    MemoryGlance,
    MemoryKeyFeed,
    MemorySource,
    MemoryTombstones,
)
from syncer.adapters.memory.state import MemoryStateStore
from syncer.adapters.memory.table import MemoryTable
from syncer.adapters.memory.vector_cache import MemoryVectorCache
from syncer.core.change import Write
from syncer.core.error import SyncerError
from syncer.core.index import IndexRecord, Phase, Targets
from syncer.core.key import Key
from syncer.core.outcome import Outcome
from syncer.core.settlement import Checkpoint, DeadLetter
from syncer.core.source_state import Blocker
from syncer.core.vector import Chunks
from syncer.engine.embed import Embedding
from syncer.engine.pipeline import Limits, Pipeline, Reader, Sides
from syncer.engine.poll import PollLimits
from syncer.engine.polled import Polled
from syncer.engine.verify import Verified
from syncer.engine.worker import Worker
from syncer.ports import ChangeFeed


@dataclass
class RecordedEvents:
    """Implements `Events` by remembering."""

    polls: list[Polled] = field(default_factory=list)
    loads: list[tuple[int, int]] = field(default_factory=list)
    trouble: list[SyncerError] = field(default_factory=list)
    blocked: list[tuple[float, Sequence[Blocker]]] = field(default_factory=list)
    delays: list[tuple[int, str]] = field(default_factory=list)
    reconciliations: list[Verified] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    discards: list[str] = field(default_factory=list)
    unassigned: list[int] = field(default_factory=list)
    swaps: list[tuple[str | None, str]] = field(default_factory=list)
    extensions: list[list[str]] = field(default_factory=list)
    replacements: list[list[str]] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    strays: list[Targets] = field(default_factory=list)
    on_poll: Callable[[], None] = lambda: None
    on_filled: Callable[[], None] = lambda: None
    on_trouble: Callable[[], None] = lambda: None
    on_reconciled: Callable[[], None] = lambda: None

    def attached(self, record: IndexRecord) -> None:
        """Not remembered."""

    def loading(self, settled: int, total: int) -> None:
        self.loads.append((settled, total))

    def loaded(self, record: IndexRecord) -> None:
        """Not remembered."""

    def replacing(self, record: IndexRecord, changes: Sequence[str]) -> None:
        self.replacements.append(list(changes))

    def building(self, record: IndexRecord) -> None:
        self.phases.append(record.phase)

    def comparing(self, settled: int, total: int) -> None:
        """Not remembered."""

    def discarded(self, record: IndexRecord, why: str) -> None:
        self.discards.append(record.name)

    def building_graphs(self, index: str) -> None:
        """Not remembered."""

    def not_green(self, index: str, unassigned: int) -> None:
        self.unassigned.append(unassigned)

    def swapped(self, old: str | None, new: str) -> None:
        self.swaps.append((old, new))

    def extended(self, record: IndexRecord, changes: Sequence[str]) -> None:
        self.extensions.append(list(changes))

    def filled(self, record: IndexRecord) -> None:
        self.on_filled()

    def filling_failed(self, error: SyncerError) -> None:
        self.trouble.append(error)
        self.on_trouble()

    def lifecycle_refused(self, error: SyncerError) -> None:
        self.trouble.append(error)

    def follower_failed(self, error: SyncerError) -> None:
        self.trouble.append(error)

    def retiring_failed(self, error: SyncerError) -> None:
        self.trouble.append(error)

    def astray(self, alias: str, index: str, targets: Targets) -> None:
        self.strays.append(targets)

    def polled(self, polled: Polled, seconds: float) -> None:
        self.polls.append(polled)
        self.on_poll()

    def held_back(self, seconds: float, blockers: Sequence[Blocker]) -> None:
        self.blocked.append((seconds, blockers))

    def behind(self, seconds: float) -> None:
        self.lags.append(seconds)

    def put_off(self, documents: int, reason: str) -> None:
        self.delays.append((documents, reason))

    def reconciled(self, verified: Verified) -> None:
        self.reconciliations.append(verified)
        self.on_reconciled()

    def reconciling_failed(self, error: SyncerError) -> None:
        self.trouble.append(error)
        self.on_trouble()

    def standing_by(self, error: SyncerError) -> None:
        self.trouble.append(error)
        self.on_trouble()

    def backing_off(self, error: SyncerError, attempt: int, seconds: float) -> None:
        self.trouble.append(error)


@dataclass
class World:
    """A table, an index, and the pipeline between them."""

    clock: MemoryClock
    table: MemoryTable
    store: MemoryStateStore
    indices: MemoryIndices
    embedder: MemoryEmbedder
    pipeline: Pipeline
    events: RecordedEvents
    #: What the index answers to a write in place of applying it.
    answers: dict[Key, Outcome] = field(default_factory=dict)
    #: Raised by every write while it is set.
    outage: SyncerError | None = None
    #: Told of each write before it is answered.
    on_write: Callable[[Write], None] = lambda _write: None
    #: Every write that reached the index.
    written: list[Write] = field(default_factory=list)

    @property
    def index(self) -> MemoryIndex:
        """The one that is followed; before there is a record, the only one."""
        record = self.store.index(self.pipeline.name)
        name = record.name if record is not None else None
        return self.indices.indices.get(name or "") or next(iter(self.indices.indices.values()))

    @property
    def record(self) -> IndexRecord:
        record = self.store.index(self.pipeline.name)
        assert record is not None
        return record

    def worker(self) -> Worker:
        return Worker(self.pipeline, self.events)

    def checkpoint(self) -> Checkpoint:
        lease = self.store.acquire(self.record.name)
        try:
            return lease.checkpoints()[self.table.name]
        finally:
            lease.release()

    def dead_letters(self) -> list[DeadLetter]:
        return list(self.store.dead_letters(self.record.name, 1000))

    def equal(self) -> bool:
        """Tell whether the index holds what the table does."""
        return self.index.documents() == self.table.documents()

    @contextmanager
    def following(self) -> Iterator[Callable[[], Polled]]:
        """Hold the lease; each call polls once and then lets a second pass."""
        with closing(self.worker().session()) as session:
            yield lambda: next(session)


def a_comparison(table: MemoryTable, index: MemoryIndex) -> Sides:
    """Return the two sides of a world."""
    return Sides(MemorySourceDigests(table), MemoryIndexDigests(index), MemoryDocuments(table), lambda: None)


def a_world(
    *,
    batch_rows: int = 10,
    pages: int = 20,
    window_entries: int = 1000,
    deferred_keys: int = 100,
    ledger_entries: int = 1000,
    rejections: int = 100,
    range_rows: int = 30,
    shards: int = 1,
    embedding: bool = False,
    chunks: Chunks | None = None,
    watermark_zone: str | None = None,
    **replacements: Any,
) -> World:
    """Build a world; `replacements` are fields of the pipeline."""
    clock = MemoryClock()
    table = MemoryTable(clock)
    store = MemoryStateStore()
    indices = MemoryIndices(shards)
    embedder = MemoryEmbedder()
    world: World

    def reader() -> Reader:
        tombstones = MemoryTombstones(table)
        related = [
            kind(table, each) for each in table.relations for kind in (MemoryRelatedFeed, MemoryRelatedTombstones)
        ]
        feeds: list[ChangeFeed] = [MemoryChangeFeed(table, watermark_zone), tombstones, *related]
        return Reader(
            source=MemorySource(table),
            feeds=feeds,
            glance=MemoryGlance(feeds),
            related=related,
            keys=MemoryKeyFeed(table),
            documents=MemoryDocuments(table),
            close=lambda: None,
            tombstones=[tombstones, *(MemoryTombstones(each.table) for each in table.relations)],
        )

    def sink(index: str) -> MemorySink:
        def answer(write: Write) -> Outcome | None:
            if world.outage:
                raise world.outage
            world.on_write(write)
            world.written.append(write)
            return world.answers.get(write.key)

        return MemorySink(indices.indices[index], answer)

    pipeline = Pipeline(
        name="items",
        alias="items",
        fingerprint={"mapping": "m1", "hydration": "h1"},
        reader=reader,
        embedding=Embedding(embedder, MemoryVectorCache(), {"embedding": chunks} if chunks else {})
        if embedding
        else None,
        sink=sink,
        sides=lambda index: a_comparison(table, indices.indices[index]),
        indices=indices,
        store=store,
        clock=clock,
        executor=ThreadPoolExecutor(4),
        limits=Limits(
            poll=PollLimits(
                batch_rows=batch_rows,
                margin=timedelta(seconds=2),
                pages=pages,
                window_entries=window_entries,
                deferred_keys=deferred_keys,
                ledger_entries=ledger_entries,
            ),
            rejections=rejections,
            range_rows=range_rows,
        ),
    )
    world = World(clock, table, store, indices, embedder, replace(pipeline, **replacements), RecordedEvents())
    return world
