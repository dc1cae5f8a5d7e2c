"""The one path: keys in, outcomes out.

    run():    hydrate and number a batch          serially, on the caller's thread
              transform, embed and write it       on a worker thread, several batches at once
              examine the answers                 on the caller's thread again, in the order of the batches

Why numbers come from one place and in this order (design: every write carries a version):

- The poller hydrates, then draws. It does so serially, on the session that holds the lease, so of two of its writes of
  a key the later one holds the fresher row. A process that lost its lease can draw no more: its numbers are all older
  than its successor's.
- Everybody else draws, then hydrates: it claims less than it delivers. Whatever it misses, the poller delivers with a
  higher number. The other order would let an old row win.
- One key is never in two writes at once, and nothing is ever sent again as it was: what failed is hydrated and
  numbered anew.

How much is under way follows what Elasticsearch takes (`Pacing`). When the process is asked to stop, the answers that
come within STOP_SECONDS are settled, and what has none by then counts as put off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from contextvars import copy_context
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeVar

from syncer.core.change import Hydration
from syncer.core.key import DOCUMENT_ID_BYTES_MAX, Key, document_id
from syncer.core.outcome import Applied, Deferred, Outcome, Rejected, Stale
from syncer.core.report import Report
from syncer.engine.batch import Batch, Delivered, Routings
from syncer.engine.embed import Vectors
from syncer.engine.pacing import Pacing
from syncer.engine.telemetry import Step, Telemetry
from syncer.engine.write import Numbered, Writing, Written
from syncer.ports import Clock, Documents, Numbers

#: How long answers are waited for once the process is asked to stop.
STOP_SECONDS = 2.0
#: How often somebody who waits for an answer looks whether to stop.
_LOOK_SECONDS = 0.2

_NOWHERE: frozenset[str] = frozenset()


class Draw(Enum):
    """When the number is drawn."""

    #: The poller's order.
    AFTER_HYDRATION = "after"
    #: Everybody else's.
    BEFORE_HYDRATION = "before"


B = TypeVar("B", bound=Batch)


@dataclass(frozen=True, slots=True)
class _Flight:
    keys: frozenset[Key]
    refused: dict[Key, Outcome]
    version: int
    future: Future[Written]
    routings: Routings


class Delivery:
    """Delivers batches through hydration, embedding and the sink, up to `flights` of them at once."""

    def __init__(
        self,
        documents: Documents,
        writing: Writing,
        numbers: Numbers,
        *,
        draw: Draw,
        executor: Executor,
        clock: Clock,
        pacing: Pacing,
        flights: int,
        recheck_created: bool,
        on_overtaken: Callable[[], None],
        telemetry: Telemetry,
    ) -> None:
        """recheck_created: hydrate a key once more whose write created a document, and remove it if gone. Elasticsearch
        forgets the versions of deleted documents when a shard restarts, so that an old write could revive one. Needed
        by all but the poller, and not while an index is first loaded.

        on_overtaken: called when the index holds a version that nobody can have drawn: it should be verified.
        """
        self._documents = documents
        self._writing = writing
        self._numbers = numbers
        self._draw = draw
        self._executor = executor
        self._clock = clock
        self._pacing = pacing
        self._flights = flights
        self._recheck_created = recheck_created
        self._on_overtaken = on_overtaken
        self._telemetry = telemetry
        self._stop_at: float | None = None
        #: Numbers up to this one were drawn before the sequence was raised.
        self._raised_after = 0

    def run(self, batches: Iterable[B]) -> Iterator[tuple[B, Delivered]]:
        """Yield each batch with its outcomes, in order, while later ones are on their way.

        Raises what hydration, embedding and the sink raise, after the writes that are under way have ended.
        """
        under_way: deque[tuple[B, _Flight]] = deque()
        try:
            for batch in batches:
                while under_way and (self._full(under_way) or _meets(batch.keys, (f for _, f in under_way))):
                    yield self._land(*under_way.popleft())
                under_way.append((batch, self._send(batch.keys, batch.routings)))
                while under_way and under_way[0][1].future.done():
                    yield self._land(*under_way.popleft())
            while under_way:
                yield self._land(*under_way.popleft())
        finally:
            for _, flight in under_way:
                self._ended(flight)

    def deliver(self, keys: Sequence[Key], routings: Routings | None = None) -> Delivered:
        """Deliver some keys now."""
        return self._told(self._examine(self._send(keys, routings or {})))

    def _full(self, under_way: Sequence[object]) -> bool:
        return len(under_way) >= self._pacing.pace.of(self._flights)

    def _send(self, keys: Sequence[Key], routings: Routings) -> _Flight:
        refused: dict[Key, Outcome] = {
            key: Rejected("document_id_too_long", f"the key is longer than {DOCUMENT_ID_BYTES_MAX} bytes")
            for key in keys
            if len(document_id(key).encode("utf-8", "surrogatepass")) > DOCUMENT_ID_BYTES_MAX
        }
        sendable = [key for key in keys if key not in refused] if refused else keys
        numbered = self._hydrate(sendable, routings)
        refused |= {
            key: Rejected("unreadable", why, passing=True) for key, why in numbered.hydration.unreadable.items()
        }
        # In this thread's context, for traces.
        future = self._executor.submit(copy_context().run, self._writing.write, sendable, numbered)
        return _Flight(frozenset(keys), refused, numbered.version, future, routings)

    def _hydrate(self, keys: Sequence[Key], routings: Routings) -> Numbered:
        if self._draw is Draw.BEFORE_HYDRATION:
            version = self._numbers.draw()
            return Numbered(self._hydration(keys), version, routings)
        hydration = self._hydration(keys)
        return Numbered(hydration, self._numbers.draw(), routings)

    def _hydration(self, keys: Sequence[Key]) -> Hydration:
        with self._telemetry.step(Step.HYDRATE, len(keys)):
            return self._documents.hydrate(keys)

    def _land(self, batch: B, flight: _Flight) -> tuple[B, Delivered]:
        return batch, self._told(self._examine(flight))

    def _told(self, delivered: Delivered) -> Delivered:
        self._telemetry.delivered(delivered.outcomes.values(), delivered.report)
        return delivered

    def _ended(self, flight: _Flight) -> bool:
        """Wait for the end of a flight; False where the process is to stop and the answer does not come in time."""
        while not flight.future.done():
            if not self._clock.stopping():
                wait([flight.future], _LOOK_SECONDS)
                continue
            if self._stop_at is None:
                self._stop_at = self._clock.monotonic() + STOP_SECONDS
            wait([flight.future], max(0.0, self._stop_at - self._clock.monotonic()))
            if not flight.future.done():
                flight.future.cancel()  # what has not begun never will
                return False
        return True

    def _examine(self, flight: _Flight) -> Delivered:
        if not self._ended(flight):
            return _unanswered(flight)
        written = flight.future.result()
        # A row that cannot be read may have been removed from elsewhere. It was refused, unless that was put off.
        removals = {key: o for key, o in written.outcomes.items() if isinstance(o, Deferred)}
        outcomes: Mapping[Key, Outcome] = {**written.outcomes, **flight.refused, **written.refused, **removals}
        again: list[Delivered] = []
        if overtaken := self._overtaken(flight.version, written.met):
            self._on_overtaken()
            again.append(self._again(overtaken, flight.routings))
        if self._recheck_created:
            created = [key for key, outcome in outcomes.items() if outcome == Applied(created=True)]
            if gone := self._gone(created, written.places):
                again.append(self._again(gone, _joined(flight.routings, written.places)))
        for later in again:
            outcomes = {**outcomes, **later.outcomes}
        renumbered = {key: later.number(key) for later in again for key in later.outcomes}
        report = replace(_report(outcomes, written.vectors), unchanged=len(written.unchanged))
        return Delivered(outcomes, flight.version, report, renumbered)

    def _again(self, keys: Sequence[Key], routings: Routings) -> Delivered:
        return self._examine(self._send(keys, routings))

    def _overtaken(self, sent_with: int, met: Mapping[Key, int]) -> list[Key]:
        """Return the keys whose document has a version that nobody can have drawn, after raising the sequence above it.

        Usually a conflict only means that somebody else delivered something fresher. But a number that is not below a
        fresh draw says that the sequence went back, or that a foreign writer is at work.
        """
        if not met:
            return []
        drawn = self._numbers.draw()
        # Of batches under way together, the first that finds out raises the sequence: the others were drawn before.
        early = sent_with <= self._raised_after
        overtaken = [key for key, version in met.items() if early or version >= drawn]
        if overtaken and not early:
            self._raised_after = drawn
            self._numbers.raise_above(max(met.values()))
        return overtaken

    def _gone(self, created: Sequence[Key], places: Mapping[Key, str]) -> list[Key]:
        """Return those of the keys that are no longer in the table, or not in this place: a write revived them."""
        if not created:
            return []
        hydration = self._writing.transformed(self._documents.hydrate(created))
        present = {draft.key for draft in hydration.drafts if draft.routing == places.get(draft.key)}
        present |= hydration.untold
        return [key for key in created if key not in present]


def _joined(routings: Routings, places: Mapping[Key, str]) -> Routings:
    return {**routings, **{key: routings.get(key, _NOWHERE) | {place} for key, place in places.items()}}


def _unanswered(flight: _Flight) -> Delivered:
    put_off = Deferred("not answered before the process was asked to stop")
    outcomes = {key: flight.refused.get(key, put_off) for key in flight.keys}
    return Delivered(outcomes, flight.version, _report(outcomes, Vectors({})))


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
        truncated=vectors.truncated,
    )
