"""Everything syncer must remember, in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncer.core.error import ConfigurationError, IndexMissing, LeaseHeld, LeaseLost
from syncer.core.index import IndexIdentity, IndexRecord, Phase
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.overview import Overview
from syncer.core.settlement import Checkpoint, DeadLetter, Settlement
from syncer.core.source_state import SourceIdentity


@dataclass(slots=True)
class _Entry:
    """All that is known of one index."""

    record: IndexRecord
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    dead_letters: dict[Key, DeadLetter] = field(default_factory=dict)
    ranges: dict[int, KeyRange] = field(default_factory=dict)
    lease: MemoryLease | None = None
    backfill: MemoryBackfillProgress | None = None

    def settle(self, settlement: Settlement) -> int:
        for letter in settlement.dead_letters:
            known = self.dead_letters.get(letter.key)
            self.dead_letters[letter.key] = known.again(letter) if known else letter
        for key, version in settlement.settled.items():
            if key in self.dead_letters and self.dead_letters[key].version < version:
                del self.dead_letters[key]
        return len(self.dead_letters)


class MemoryStateStore:
    """Implements `StateStore`; those who share it are as processes that share a database."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._number = 0
        self._entries: dict[str, _Entry] = {}

    def draw(self) -> int:
        with self._lock:
            self._number += 1
            return self._number

    def raise_above(self, version: int) -> None:
        with self._lock:
            self._number = max(self._number, version)

    def index(self, pipeline: str) -> IndexRecord | None:
        return next((record for record in self.indices() if record.pipeline == pipeline), None)

    def register(self, record: IndexRecord) -> IndexRecord:
        with self._lock:
            known = self.index(record.pipeline)
            if known is not None:
                return known
            if record.name in self._entries:
                raise ConfigurationError(f"index {record.name} belongs to another pipeline")
            self._entries[record.name] = _Entry(record)
            return record

    def forget(self, index: str) -> None:
        with self._lock:
            self._entries.pop(index, None)

    def acquire(self, index: str) -> MemoryLease:
        with self._lock:
            entry = self._entry(index)
            if entry.lease is not None:
                raise LeaseHeld(f"the lease of index {index} is held")
            entry.record = replace(entry.record, epoch=entry.record.epoch + 1)
            entry.lease = MemoryLease(self, index, entry.record.epoch)
            return entry.lease

    def backfill(self, index: str) -> MemoryBackfillProgress:
        with self._lock:
            entry = self._entry(index)
            if entry.backfill is not None:
                raise LeaseHeld(f"the backfill of index {index} is held")
            entry.backfill = MemoryBackfillProgress(self, index)
            return entry.backfill

    def record(self, index: str, settlement: Settlement) -> int:
        assert not settlement.checkpoints
        with self._lock:
            if index not in self._entries:
                raise IndexMissing(f"the state knows no index {index}")
            return self._entries[index].settle(settlement)

    def mark_verify_needed(self, index: str, reason: str) -> None:
        with self._lock:
            if index in self._entries:
                entry = self._entries[index]
                entry.record = replace(entry.record, verify_needed=reason)

    def indices(self) -> Sequence[IndexRecord]:
        """Return all records."""
        with self._lock:
            return [entry.record for entry in self._entries.values()]

    def dead_letters(self, index: str, limit: int = 100, offset: int = 0) -> Sequence[DeadLetter]:
        """Return open dead letters, the one open longest first."""
        with self._lock:
            letters = self._entries[index].dead_letters.values() if index in self._entries else ()
            return list(letters)[offset : offset + limit]

    def overview(self, index: str) -> Overview:
        """Return what else is known of an index; nothing, of an unknown one."""
        with self._lock:
            if index not in self._entries:
                return Overview({}, 0, None)
            entry = self._entries[index]
            return Overview(dict(entry.checkpoints), len(entry.dead_letters), "memory" if entry.lease else None)

    def expire(self, index: str) -> None:
        """Take from their holders the lease and the backfill of an index, as when their sessions have ended."""
        with self._lock:
            self._entries[index].lease = self._entries[index].backfill = None

    def _entry(self, index: str) -> _Entry:
        if index not in self._entries:
            raise LeaseLost(f"the state of index {index} was deleted by somebody else")
        return self._entries[index]


class MemoryLease:
    """Implements `Lease`."""

    def __init__(self, store: MemoryStateStore, index: str, epoch: int) -> None:
        self._store = store
        self._index = index
        self.epoch = epoch

    def draw(self) -> int:
        with self._store._lock:
            self._held()
            return self._store.draw()

    def raise_above(self, version: int) -> None:
        with self._store._lock:
            self._held()
            self._store.raise_above(version)

    def checkpoints(self) -> Mapping[str, Checkpoint]:
        with self._store._lock:
            return dict(self._held().checkpoints)

    def commit(self, settlement: Settlement) -> int:
        with self._store._lock:
            entry = self._held()
            entry.checkpoints.update(settlement.checkpoints)
            return entry.settle(settlement)

    def update(
        self,
        *,
        phase: Phase | None = None,
        fingerprint: Mapping[str, str] | None = None,
        identity: IndexIdentity | None = None,
        source: SourceIdentity | None = None,
        verify_needed: str | None = None,
    ) -> None:
        with self._store._lock:
            entry = self._held()
            known = entry.record
            entry.record = replace(
                known,
                phase=phase or known.phase,
                fingerprint=known.fingerprint if fingerprint is None else fingerprint,
                identity=identity or known.identity,
                source=source or known.source,
                verify_needed=known.verify_needed if verify_needed is None else verify_needed,
            )

    def release(self) -> None:
        with self._store._lock:
            entry = self._store._entries.get(self._index)
            if entry is not None and entry.lease is self:
                entry.lease = None

    def _held(self) -> _Entry:
        entry = self._store._entry(self._index)
        if entry.lease is not self:
            raise LeaseLost(f"the lease of index {self._index} was lost")
        return entry


class MemoryBackfillProgress:
    """Implements `BackfillProgress`."""

    def __init__(self, store: MemoryStateStore, index: str) -> None:
        self._store = store
        self._index = index

    def ranges(self) -> Sequence[KeyRange]:
        with self._store._lock:
            return [part for _, part in sorted(self._held().ranges.items())]

    def plan(self, ranges: Sequence[KeyRange]) -> None:
        with self._store._lock:
            self._held().ranges = {part.number: part for part in ranges}

    def advance(self, range_: KeyRange, settlement: Settlement) -> int:
        assert not settlement.checkpoints
        with self._store._lock:
            entry = self._held()
            if range_.number not in entry.ranges:
                raise LeaseLost(f"the backfill of index {self._index} was planned anew")
            entry.ranges[range_.number] = range_
            return entry.settle(settlement)

    def finish(self) -> None:
        self.plan(())

    def release(self) -> None:
        with self._store._lock:
            entry = self._store._entries.get(self._index)
            if entry is not None and entry.backfill is self:
                entry.backfill = None

    def _held(self) -> _Entry:
        entry = self._store._entry(self._index)
        if entry.backfill is not self:
            raise LeaseLost(f"the backfill of index {self._index} was lost")
        return entry
