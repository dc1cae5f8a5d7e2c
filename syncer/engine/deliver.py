"""The one path: keys in, outcomes out.

    run():    hydrate and number a batch          serially, on the caller's thread
              embed and write it                  on a worker thread, several batches at once
              examine the answers                 on the caller's thread again, in the order of the batches

Why numbers come from one place and in this order (design: every write carries a version):

- The poller hydrates, then draws. It does so serially, on the session that holds the lease, so of two of its writes of
  a key the later one holds the fresher row. A process that lost its lease can draw no more: its numbers are all older
  than its successor's.
- Everybody else draws, then hydrates: it claims less than it delivers. Whatever it misses, the poller delivers with a
  higher number. The other order would let an old row win.
- One key is never in two writes at once, and nothing is ever sent again as it was: what failed is hydrated and
  numbered anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeVar

from syncer.core.change import Document, Hydration, Removal, Write
from syncer.core.key import DOCUMENT_ID_BYTES_MAX, Key, document_id
from syncer.core.outcome import Applied, Outcome, Rejected, Stale
from syncer.core.report import Report
from syncer.engine.embed import Embedding, Vectors
from syncer.ports import Documents, Numbers, Sink


class Draw(Enum):
    """When the number is drawn."""

    #: The poller's order.
    AFTER_HYDRATION = "after"
    #: Everybody else's.
    BEFORE_HYDRATION = "before"


class Batch(Protocol):
    """Keys to deliver together, each once."""

    @property
    def keys(self) -> Sequence[Key]: ...


B = TypeVar("B", bound=Batch)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a batch."""

    outcomes: Mapping[Key, Outcome]
    #: The number of the batch.
    version: int
    report: Report
    #: Keys that had to be sent a second time, with their later number.
    renumbered: Mapping[Key, int] = field(default_factory=dict)

    def number(self, key: Key) -> int:
        """Return the number that a key's outcome belongs to."""
        return self.renumbered.get(key, self.version)


@dataclass(frozen=True, slots=True)
class _Numbered:
    hydration: Hydration
    version: int


@dataclass(frozen=True, slots=True)
class _Written:
    outcomes: dict[Key, Outcome]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class _Flight:
    keys: frozenset[Key]
    refused: dict[Key, Outcome]
    version: int
    future: Future[_Written]


class Delivery:
    """Delivers batches through hydration, embedding and the sink, `flights` of them at once."""

    def __init__(
        self,
        documents: Documents,
        embedding: Embedding | None,
        sink: Sink,
        numbers: Numbers,
        *,
        draw: Draw,
        executor: Executor,
        flights: int,
        recheck_created: bool,
        on_overtaken: Callable[[], None],
    ) -> None:
        """recheck_created: hydrate a key once more whose write created a document, and remove it if gone. Elasticsearch
        forgets the versions of deleted documents when a shard restarts, so that an old write could revive one. Needed
        by all but the poller, and not while an index is first loaded.

        on_overtaken: called when the index holds a version that nobody can have drawn: it should be verified.
        """
        self._documents = documents
        self._embedding = embedding
        self._sink = sink
        self._numbers = numbers
        self._draw = draw
        self._executor = executor
        self._flights = flights
        self._recheck_created = recheck_created
        self._on_overtaken = on_overtaken

    def run(self, batches: Iterable[B]) -> Iterator[tuple[B, Delivered]]:
        """Yield each batch with its outcomes, in order, while later ones are on their way.

        Raises what hydration, embedding and the sink raise, after the writes that are under way have ended.
        """
        under_way: deque[tuple[B, _Flight]] = deque()
        try:
            for batch in batches:
                while under_way and (len(under_way) >= self._flights or _meets(batch.keys, (f for _, f in under_way))):
                    yield self._land(*under_way.popleft())
                under_way.append((batch, self._send(batch.keys)))
                while under_way and under_way[0][1].future.done():
                    yield self._land(*under_way.popleft())
            while under_way:
                yield self._land(*under_way.popleft())
        finally:
            wait([flight.future for _, flight in under_way])

    def deliver(self, keys: Sequence[Key]) -> Delivered:
        """Deliver some keys now."""
        return self._examine(self._send(keys))

    def _send(self, keys: Sequence[Key]) -> _Flight:
        refused: dict[Key, Outcome] = {
            key: Rejected("document_id_too_long", f"the key is longer than {DOCUMENT_ID_BYTES_MAX} bytes")
            for key in keys
            if len(document_id(key).encode("utf-8", "surrogatepass")) > DOCUMENT_ID_BYTES_MAX
        }
        sendable = [key for key in keys if key not in refused] if refused else keys
        numbered = self._hydrate(sendable)
        refused |= {key: Rejected("unreadable", why) for key, why in numbered.hydration.unreadable.items()}
        return _Flight(
            frozenset(keys),
            refused,
            numbered.version,
            self._executor.submit(self._write, sendable, numbered),
        )

    def _hydrate(self, keys: Sequence[Key]) -> _Numbered:
        if self._draw is Draw.BEFORE_HYDRATION:
            version = self._numbers.draw()
            return _Numbered(self._documents.hydrate(keys), version)
        hydration = self._documents.hydrate(keys)
        return _Numbered(hydration, self._numbers.draw())

    def _write(self, keys: Sequence[Key], numbered: _Numbered) -> _Written:
        """Embed and write; on a worker thread."""
        drafts, version = numbered.hydration.drafts, numbered.version
        vectors = self._embedding.vectors(drafts) if self._embedding else Vectors({})
        writes: list[Write] = [Document(draft, vectors.of.get(draft.key, {}), version) for draft in drafts]
        present = {draft.key for draft in drafts}
        unreadable = numbered.hydration.unreadable
        writes += [Removal(key, version) for key in keys if key not in present and key not in unreadable]
        outcomes = self._sink.write(writes) if writes else []
        return _Written({write.key: outcome for write, outcome in zip(writes, outcomes, strict=True)}, vectors)

    def _land(self, batch: B, flight: _Flight) -> tuple[B, Delivered]:
        return batch, self._examine(flight)

    def _examine(self, flight: _Flight) -> Delivered:
        written = flight.future.result()
        outcomes = flight.refused | written.outcomes
        again: list[Delivered] = []
        if overtaken := self._overtaken(outcomes):
            self._on_overtaken()
            again.append(self.deliver(overtaken))
        if self._recheck_created:
            created = [key for key, outcome in outcomes.items() if outcome == Applied(created=True)]
            if gone := self._gone(created):
                again.append(self.deliver(gone))
        for later in again:
            outcomes |= later.outcomes
        renumbered = {key: later.number(key) for later in again for key in later.outcomes}
        return Delivered(outcomes, flight.version, _report(outcomes, written.vectors), renumbered)

    def _overtaken(self, outcomes: Mapping[Key, Outcome]) -> list[Key]:
        """Return the keys whose document has a version that nobody can have drawn, after raising the sequence above it.

        Usually a conflict only means that somebody else delivered something fresher. But a number above a fresh draw
        says that the sequence went back, or that a foreign writer is at work.
        """
        current = {key: o.current for key, o in outcomes.items() if isinstance(o, Stale) and o.current is not None}
        if not current:
            return []
        drawn = self._numbers.draw()
        overtaken = [key for key, version in current.items() if version > drawn]
        if overtaken:
            self._numbers.raise_above(max(current.values()))
        return overtaken

    def _gone(self, created: Sequence[Key]) -> list[Key]:
        """Return those of the keys that are no longer in the table: their write has revived them."""
        if not created:
            return []
        hydration = self._documents.hydrate(created)
        present = {draft.key for draft in hydration.drafts} | hydration.unreadable.keys()
        return [key for key in created if key not in present]


def _meets(keys: Sequence[Key], flights: Iterable[_Flight]) -> bool:
    return any(not flight.keys.isdisjoint(keys) for flight in flights)


def _report(outcomes: Mapping[Key, Outcome], vectors: Vectors) -> Report:
    kinds = [type(outcome) for outcome in outcomes.values()]
    applied, stale, rejected = kinds.count(Applied), kinds.count(Stale), kinds.count(Rejected)
    return Report(
        read=len(kinds),
        applied=applied,
        stale=stale,
        rejected=rejected,
        deferred=len(kinds) - applied - stale - rejected,
        embedded=vectors.embedded,
        cached=vectors.cached,
    )
