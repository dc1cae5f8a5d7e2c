"""What remains of an index's backfill, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from syncer.adapters.memory.database import IndexEntry, MemoryDatabase
from syncer.core.error import LeaseLost
from syncer.core.key_range import KeyRange
from syncer.core.settlement import Settlement


class MemoryBackfillProgress:
    """Implements `BackfillProgress`."""

    def __init__(self, database: MemoryDatabase, index: str) -> None:
        self._database = database
        self._index = index

    def ranges(self) -> Sequence[KeyRange]:
        with self._database.lock:
            return [part for _, part in sorted(self._held().ranges.items())]

    def plan(self, ranges: Sequence[KeyRange]) -> None:
        with self._database.lock:
            self._held().ranges = {part.number: part for part in ranges}

    def advance(self, range_: KeyRange, settlement: Settlement) -> int:
        assert not settlement.checkpoints
        with self._database.lock:
            entry = self._held()
            if range_.number not in entry.ranges:
                raise LeaseLost(f"the backfill of index {self._index} was planned anew")
            entry.ranges[range_.number] = range_
            return entry.settle(settlement)

    def finish(self) -> None:
        self.plan(())

    def release(self) -> None:
        with self._database.lock:
            entry = self._database.entries.get(self._index)
            if entry is not None and entry.backfill is self:
                entry.backfill = None

    def _held(self) -> IndexEntry:
        entry = self._database.entry(self._index)
        if entry.backfill is not self:
            raise LeaseLost(f"the backfill of index {self._index} was lost")
        return entry
