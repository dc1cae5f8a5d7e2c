"""The second half of the one path: hydrated rows in, answers out. It runs on worker threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from syncer.core.change import Document, Draft, Hydration, Removal, Write
from syncer.core.error import TransientError
from syncer.core.key import Key
from syncer.core.outcome import Applied, Deferred, Outcome, Rejected, Stale
from syncer.core.shards import Shards
from syncer.engine.batch import Routings
from syncer.engine.embed import Embedding, Vectors, refusing
from syncer.engine.pacing import Pacing
from syncer.engine.telemetry import Step, Telemetry
from syncer.engine.transform import Transform, transformed
from syncer.ports import Clock, Sink

#: An answer that took longer speaks of pressure, well before the client gives up.
_SLOW_SECONDS = 10.0

_NOWHERE: frozenset[str] = frozenset()
_NOTHING: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Numbered:
    """What is to be written, and its number."""

    hydration: Hydration
    version: int
    routings: Routings


@dataclass(frozen=True, slots=True)
class Written:
    """What became of it."""

    outcomes: dict[Key, Outcome]
    #: The highest number that any write of a key has met.
    met: Mapping[Key, int]
    vectors: Vectors
    #: Rows that the transform refused.
    refused: Mapping[Key, Outcome]
    #: Where documents were written to, where that is not where their id leads.
    places: Mapping[Key, str]
    #: Rows whose documents were there already.
    unchanged: Set[Key]


class Writing:
    """Makes documents of rows and writes them; safe for several threads."""

    def __init__(
        self,
        embedding: Embedding | None,
        sink: Sink,
        *,
        clock: Clock,
        pacing: Pacing,
        prove: Callable[[], None],
        telemetry: Telemetry,
        transform: Transform | None = None,
        shards: Shards | None = None,
        skip_unchanged: bool = False,
        refused: Callable[[Sequence[Key]], Set[Key]] = lambda _keys: _NOTHING,
    ) -> None:
        """prove: called before each write, and each look at what is there; what it raises keeps both from being done.

        shards: of the index, where nobody knows which of them a document was in: with each write of a key it is removed
        from all others.
        skip_unchanged: do not write what the index holds already. A write of the poller that is under way may still
        replace it; then the poller has more to deliver, unless the row came back to what it was with its old watermark.
        refused: returns those of some rows that have an open dead letter. They are never left out: what was refused may
        be a vector or a sub-field that was added, of which the hash says nothing.
        """
        self._embedding = embedding
        self._sink = sink
        self._clock = clock
        self._pacing = pacing
        self._prove = prove
        self._telemetry = telemetry
        self._transform = transform
        self._shards = shards
        self._skip_unchanged = skip_unchanged
        self._refused = refused

    def write(self, keys: Sequence[Key], numbered: Numbered) -> Written:
        """Transform, embed and write. Raises what the embedder, the cache and the sink raise, and what `prove` does."""
        numbered = replace(numbered, hydration=self.transformed(numbered.hydration))
        unchanged = self._unchanged(numbered) if self._skip_unchanged else _NOTHING
        vectors = self._vectors(numbered.hydration.drafts, unchanged)
        numbered = replace(numbered, hydration=refusing(numbered.hydration, vectors.refused))
        drafts = numbered.hydration.drafts
        writes = [write for write in _writes(keys, numbered, vectors, self._shards) if write.key not in unchanged]
        places = {draft.key: draft.routing for draft in drafts if draft.routing is not None}
        outcomes, met = self._sent(writes) if writes else ({}, {})
        outcomes |= dict.fromkeys(unchanged, Applied())
        return Written(outcomes, met, vectors, numbered.hydration.refused, places, unchanged)

    def transformed(self, hydration: Hydration) -> Hydration:
        """Return the rows as the transform makes documents of them, if there is one."""
        if self._transform is None:
            return hydration
        with self._telemetry.step(Step.TRANSFORM, len(hydration.drafts)):
            return transformed(hydration, self._transform)

    def _unchanged(self, numbered: Numbered) -> Set[Key]:
        """Return the rows whose documents the index holds as they would be written, with a lower number."""
        # One that may be elsewhere too is to be removed from there.
        drafts = [draft for draft in numbered.hydration.drafts if draft.key not in numbered.routings]
        # What an index of another definition holds says nothing.
        self._prove()
        turn = self._pacing.turn
        try:
            with self._telemetry.step(Step.COMPARE, len(drafts)):
                held = self._sink.held(drafts) if drafts else {}
        except TransientError:
            self._pacing.answered(turn, pressed=True)
            raise
        same = [
            draft.key
            for draft in drafts
            if (found := held.get(draft.key)) and found.hash == draft.hash and found.version < numbered.version
        ]
        return frozenset(same) - self._refused(same) if same else _NOTHING

    def _vectors(self, drafts: Sequence[Draft], unchanged: Set[Key]) -> Vectors:
        if self._embedding is None:
            return Vectors({})
        if unchanged:
            self._embedding.keep([draft for draft in drafts if draft.key in unchanged])
            drafts = [draft for draft in drafts if draft.key not in unchanged]
        with self._telemetry.step(Step.EMBED, len(drafts)):
            return self._embedding.vectors(drafts)

    def _sent(self, writes: Sequence[Write]) -> tuple[dict[Key, Outcome], Mapping[Key, int]]:
        """Write, and tell the pacing how that went."""
        self._prove()
        turn, started = self._pacing.turn, self._clock.monotonic()
        try:
            with self._telemetry.step(Step.WRITE, len(writes)):
                outcomes = self._sink.write(writes)
        except TransientError:
            self._pacing.answered(turn, pressed=True)
            raise
        slow = self._clock.monotonic() - started > _SLOW_SECONDS
        put_off = any(isinstance(outcome, Deferred) and not outcome.suspect for outcome in outcomes)
        self._pacing.answered(turn, pressed=slow or put_off)
        joined: dict[Key, Outcome] = {}
        met: dict[Key, int] = {}
        for write, outcome in zip(writes, outcomes, strict=True):
            if isinstance(outcome, Stale) and outcome.current is not None:
                met[write.key] = max(met.get(write.key, 0), outcome.current)
            # Of a key that is removed elsewhere too, the last write is the one at its own place.
            if not isinstance(joined.get(write.key), Deferred | Rejected):
                joined[write.key] = outcome
        return joined, met


def _writes(keys: Sequence[Key], numbered: Numbered, vectors: Vectors, shards: Shards | None) -> Sequence[Write]:
    """Return a write for each key that could be read, and a removal wherever else its document may have been."""
    hydration, version = numbered.hydration, numbered.version
    places: dict[Key, str | None] = {draft.key: draft.routing for draft in hydration.drafts}
    writes: list[Write] = [Document(draft, vectors.of.get(draft.key, {}), version) for draft in hydration.drafts]
    for key in keys:
        if key not in places and key not in hydration.unreadable:
            places[key] = hydration.routings.get(key)
            if key not in hydration.refused:
                writes.append(Removal(key, version, places[key]))
    if not numbered.routings and shards is None:
        return writes
    untold = hydration.untold

    def others(key: Key) -> Sequence[str]:
        return shards.others(key, places.get(key)) if shards is not None and key not in untold else ()

    # Before the documents: two routings may lead to one shard, where of two writes with one number the later one wins.
    elsewhere = [
        Removal(key, version, routing)
        for key in keys
        for routing in sorted(numbered.routings.get(key, _NOWHERE).union(others(key)) - {places.get(key)})
    ]
    return [*elsewhere, *writes]
