"""What one pipeline is made of, put together by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from syncer.core.error import Paused
from syncer.core.report import Report
from syncer.core.run import RunJob
from syncer.engine.deliver import Delivery, Draw
from syncer.engine.embed import Embedding
from syncer.engine.pacing import Pacing
from syncer.engine.poll import PollLimits
from syncer.engine.rejection import Budget
from syncer.engine.shared_reads import SharedReads
from syncer.engine.telemetry import Measures, Telemetry
from syncer.engine.transform import Transform
from syncer.engine.write import Writing
from syncer.ports import (
    ChangeFeed,
    Clock,
    Documents,
    Glance,
    IndexDigests,
    Indices,
    Lifecycle,
    Numbers,
    RelatedFeed,
    Sink,
    Source,
    SourceDigests,
    StateStore,
    TableKeys,
    Tombstones,
    Wakeups,
)

#: Told how a run has ended: whether it came to its end, what it has delivered, and what else there is to say.
Ended = Callable[[bool, Report, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Reader:
    """One connection to the source, for one thread; it connects when first used, and again after a failure."""

    source: Source
    feeds: Sequence[ChangeFeed]
    #: At all of the feeds.
    glance: Glance
    keys: TableKeys
    documents: Documents
    close: Callable[[], None]
    #: Those of the feeds that are of other tables than the root.
    related: Sequence[RelatedFeed] = ()
    #: Of all tables.
    tombstones: Sequence[Tombstones] = ()


@dataclass(frozen=True, slots=True)
class Sides:
    """A table and an index to compare, on connections of their own."""

    source: SourceDigests
    index: IndexDigests
    documents: Documents
    close: Callable[[], None]


#: So many more batches are under way where texts are embedded: they wait for vectors while others are written.
EMBEDDING_FLIGHTS = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a pipeline."""

    poll: PollLimits = field(default_factory=PollLimits)
    interval_seconds: float = 1.0
    #: How far below its checkpoint a new process starts when the source may have gone back in time.
    rewind: timedelta = timedelta(minutes=15)
    #: Open dead letters.
    rejections: int = 100
    #: The share of an index's documents that a repair may delete unless forced.
    delete_ratio: float = 0.1
    #: Batches under way at once; each holds its documents in memory.
    flights: int = 4
    #: Keys in one range of a backfill: what is read again, at most, by a process that was killed.
    range_rows: int = 50_000


class OnChange(StrEnum):
    """What is done about an index that was built from another configuration, and cannot grow in place."""

    REFUSE = "refuse"
    REBUILD = "rebuild"


@dataclass(frozen=True, slots=True)
class Retention:
    """Which kept indices stay, to be rolled back to."""

    #: The newest ones.
    indices: int = 1
    #: After this long an index goes, however few there are.
    age: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One alias in Elasticsearch fed from one root table."""

    name: str
    alias: str
    #: What an index must have been built from, as digests by part.
    fingerprint: Mapping[str, str]
    reader: Callable[[], Reader]
    embedding: Embedding | None
    #: By physical index.
    sink: Callable[[str], Sink]
    #: By physical index.
    sides: Callable[[str], Sides]
    indices: Indices
    store: StateStore
    clock: Clock
    executor: Executor
    limits: Limits = field(default_factory=Limits)
    pacing: Pacing = field(default_factory=Pacing)
    telemetry: Telemetry = field(default_factory=Measures)
    #: Of all pipelines of the process.
    shared_reads: SharedReads = field(default_factory=SharedReads)
    #: What the fingerprint is of, by part.
    definition: Mapping[str, Any] = field(default_factory=dict)
    #: Tells of an index's definition whether this one only adds fields to it, so that it can grow in place.
    grows_from: Callable[[Mapping[str, Any]], bool] = lambda _definition: False
    on_change: OnChange = OnChange.REFUSE
    retention: Retention = field(default_factory=Retention)
    #: Keeps what is done by itself, as a context, in the history. Raises LeaseHeld where somebody does the same.
    recorded: Callable[[RunJob], AbstractContextManager[Ended]] = lambda _job: nullcontext(lambda *_: None)

    #: Moves ageing indices to other nodes; None: nobody does.
    lifecycle: Lifecycle | None = None
    #: Makes documents of rows; None: a row's own is the document.
    transform: Transform | None = None
    #: Related rows decide on the shards of documents.
    routed_by_others: bool = False
    #: Ends pauses between polls; None: nobody does.
    wakeups: Wakeups | None = None

    @property
    def budget(self) -> Budget:
        return Budget(self.limits.rejections)

    def prove_not_paused(self) -> None:
        """Raise Paused where somebody has paused the pipeline."""
        since = self.store.paused(self.name)
        if since is not None:
            raise Paused(
                f"pipeline {self.name!r} is paused since {since:%Y-%m-%d %H:%M:%S} UTC",
                hint=f"let it go on: syncer resume {self.name}",
            )

    def delivery(
        self,
        documents: Documents,
        index: str,
        numbers: Numbers,
        *,
        draw: Draw,
        recheck_created: bool,
        prove: Callable[[], None] = lambda: None,
        first_load: bool = False,
        skip_unchanged: bool = False,
    ) -> Delivery:
        """Return the one path into a physical index; see `Delivery`.

        first_load: of a new index, which polls of all changes since its beginning follow. skip_unchanged: where the
        hash of a row tells whether its document is the same; it does not where a transform makes the document.
        """
        # Where related rows decide on the shard, nothing remembers where a document was: tombstones do not, for rows of
        # two tables may change at once. So it is removed from all other shards. A first load need not: a document that
        # it leaves behind, because a range is read again, was moved by a change since the load began, and a poll
        # delivers what that change names once more, with a higher number.
        shards = self.indices.shards(index) if self.routed_by_others and not first_load else None
        writing = Writing(
            self.embedding,
            self.sink(index),
            clock=self.clock,
            pacing=self.pacing,
            prove=prove,
            telemetry=self.telemetry,
            transform=self.transform,
            shards=shards,
            skip_unchanged=skip_unchanged and self.transform is None and shards is None,
            refused=lambda keys: {each.key for each in self.store.dead_letters(index, len(keys), keys=keys)},
        )
        return Delivery(
            documents,
            writing,
            numbers,
            draw=draw,
            executor=self.executor,
            clock=self.clock,
            pacing=self.pacing,
            flights=self.limits.flights + (EMBEDDING_FLIGHTS if self.embedding else 0),
            recheck_created=recheck_created,
            telemetry=self.telemetry,
            on_overtaken=lambda: self.store.mark_verify_needed(
                index,
                f"at {self.clock.now():%Y-%m-%d %H:%M:%S.%f} UTC a version above all that were drawn was found in the "
                "index: the state went back, or somebody else writes to it",
            ),
        )
