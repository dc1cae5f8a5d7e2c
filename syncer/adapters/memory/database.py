"""What processes have in common that keep their state in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from syncer.core.error import LeaseLost
from syncer.core.fan_out import FanOut
from syncer.core.index import IndexRecord
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.settlement import Checkpoint, DeadLetter, Settlement


@dataclass(slots=True)
class IndexEntry:
    """All that is known of one index."""

    record: IndexRecord
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    dead_letters: dict[Key, DeadLetter] = field(default_factory=dict)
    #: The one that has waited longest first.
    fan_outs: dict[tuple[str, Key], FanOut] = field(default_factory=dict)
    ranges: dict[int, KeyRange] = field(default_factory=dict)
    #: Who holds it.
    lease: object | None = None
    backfill: object | None = None

    def settle(self, settlement: Settlement) -> int:
        for was, left in settlement.fanned_out.items():
            del self.fan_outs[was.place]
            if left is not None:
                self.fan_outs[was.place] = left
        for begun in settlement.begun:
            under_way = self.fan_outs.get(begun.place)
            self.fan_outs[begun.place] = under_way.begun_again() if under_way else begun
        for letter in settlement.dead_letters:
            known = self.dead_letters.get(letter.key)
            self.dead_letters[letter.key] = known.again(letter) if known else letter
        for key, version in settlement.settled.items():
            if key in self.dead_letters and self.dead_letters[key].version < version:
                del self.dead_letters[key]
        if settlement.reconcile is not None:
            reconcile = settlement.reconcile
            if self.record.reconcile is not None:
                reconcile = max(reconcile, self.record.reconcile + timedelta(microseconds=1))
            truncated = reconcile if settlement.truncated else self.record.truncated
            self.record = replace(self.record, reconcile=reconcile, truncated=truncated)
        self.record = replace(self.record, texts=self.record.texts + settlement.texts)
        return len(self.dead_letters)


class MemoryDatabase:
    """Whoever uses it holds `lock` meanwhile."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.entries: dict[str, IndexEntry] = {}
        #: The highest that was drawn.
        self.number = 0

    def draw(self) -> int:
        self.number += 1
        return self.number

    def raise_above(self, version: int) -> None:
        self.number = max(self.number, version)

    def entry(self, index: str) -> IndexEntry:
        """Return all that is known of an index. Raises LeaseLost."""
        if index not in self.entries:
            raise LeaseLost(f"the state of index {index} was deleted by somebody else")
        return self.entries[index]

    def records(self, pipeline: str | None = None) -> Sequence[IndexRecord]:
        """Return the records of a pipeline, or of all; the oldest first."""
        records = [entry.record for entry in self.entries.values()]
        return [record for record in records if pipeline in (None, record.pipeline)]

    def followed(self, pipeline: str) -> IndexRecord | None:
        """Return the record of the index that the pipeline's daemon follows, if any."""
        return next((record for record in self.records(pipeline) if record.followed), None)
