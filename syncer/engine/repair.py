"""Mends single documents: rows are delivered down the one path, documents without row are removed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import partial

from syncer.core.change import Removal
from syncer.core.comparison import Difference
from syncer.core.error import SinkUnavailable
from syncer.core.index import IndexRecord
from syncer.core.key import Key
from syncer.core.ledger import Ledger
from syncer.core.outcome import Deferred
from syncer.core.retry import backoff_seconds
from syncer.engine.batch import KeyBatch
from syncer.engine.course import prove_current
from syncer.engine.deliver import Draw
from syncer.engine.insist import ATTEMPTS_MAX, Stopped
from syncer.engine.look import Looker, Seen
from syncer.engine.pipeline import Pipeline
from syncer.engine.resync import deliver_batches
from syncer.ports import Documents


class Repair:
    """Writes to a physical index; safe beside the daemon."""

    def __init__(self, pipeline: Pipeline, documents: Documents, looker: Looker, record: IndexRecord) -> None:
        self._pipeline = pipeline
        self._looker = looker
        self._record = record
        self._sink = pipeline.sink(record.name)
        self._prove = partial(prove_current, pipeline, record.name)
        self._delivery = pipeline.delivery(
            documents,
            record.name,
            pipeline.store,
            draw=Draw.BEFORE_HYDRATION,
            recheck_created=True,
            prove=self._prove,
        )

    def deliver(self, keys: Sequence[Key]) -> None:
        """Deliver rows. Raises what `Delivery.run` raises, TooManyRejections, and Stopped."""
        rows = self._pipeline.limits.poll.batch_rows
        batches = (KeyBatch(keys[start : start + rows]) for start in range(0, len(keys), rows))
        for _ in deliver_batches(self._pipeline, self._delivery, self._record.name, batches):
            pass

    def remove(self, ids: Sequence[str]) -> None:
        """Remove what is under these ids and has no row there now.

        Raises SinkUnavailable and Stopped. Not through `Delivery`, which knows no ids that no row can have; but in its
        order: draw, hydrate, write.
        """
        store, clock = self._pipeline.store, self._pipeline.clock
        for attempt in range(1, ATTEMPTS_MAX + 1):
            number = store.draw()
            seen = {id_: seen for part in self._looker.look(ids) for id_, seen in part.items() if seen.unwanted}
            if not seen:
                return
            highest = max(document.version for each in seen.values() for document in each.unwanted)
            if highest >= number:
                # Written by somebody else, or the sequence went back.
                store.raise_above(highest)
                continue
            if self._write(seen, number) and clock.wait(backoff_seconds(attempt, random.random)):
                raise Stopped
            ids = list(seen)
        raise SinkUnavailable(f"{len(ids)} documents could not be removed")

    def _write(self, seen: Mapping[str, Seen], number: int) -> bool:
        """Send the removals; return whether some were put off."""
        ledger, now = Ledger(), self._pipeline.clock.now()
        doomed = [
            (each, Removal((id_,) if each.key is None else each.key, number, document.routing or None))
            for id_, each in seen.items()
            for document in each.unwanted
        ]
        self._prove()
        outcomes = self._sink.write([removal for _, removal in doomed])
        for (each, removal), outcome in zip(doomed, outcomes, strict=True):
            # The removal of a second copy settles nothing of the row.
            if each.difference is Difference.EXTRA and each.key is not None:
                ledger.note(removal.key, outcome, number, now)
        settlement = ledger.close()
        open_now = self._pipeline.store.record(self._record.name, settlement)
        self._pipeline.budget.spend(open_now, settlement.dead_letters)
        return any(isinstance(outcome, Deferred) for outcome in outcomes)
