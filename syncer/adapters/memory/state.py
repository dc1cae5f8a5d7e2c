"""Everything syncer must remember, in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from syncer.core.error import ConfigurationError, IndexMissing, LeaseHeld, LeaseLost
from syncer.core.index import IndexIdentity, IndexRecord, Phase
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.overview import Overview
from syncer.core.settlement import Checkpoint, DeadLetter, Settlement
from syncer.core.source_state import SourceIdentity
from syncer.ports import Lease


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
        if settlement.reconcile is not None:
            reconcile = settlement.reconcile
            if self.record.reconcile is not None:
                reconcile = max(reconcile, self.record.reconcile + timedelta(microseconds=1))
            self.record = replace(self.record, reconcile=reconcile)
        return len(self.dead_letters)


class MemoryStateStore:
    """Implements `StateStore`; those who share it are as processes that share a database."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._number = 0
        self._entries: dict[str, _Entry] = {}
        self._pauses: dict[str, datetime] = {}
        #: By pipeline, what was said last.
        self._asking: dict[str, int] = {}
        self._claimed: set[str] = set()

    def draw(self) -> int:
        with self._lock:
            self._number += 1
            return self._number

    def raise_above(self, version: int) -> None:
        with self._lock:
            self._number = max(self._number, version)

    def index(self, pipeline: str) -> IndexRecord | None:
        return next((record for record in self.indices(pipeline) if record.followed), None)

    def named(self, index: str) -> IndexRecord | None:
        return next((record for record in self.indices() if record.name == index), None)

    def indices(self, pipeline: str | None = None) -> Sequence[IndexRecord]:
        with self._lock:
            records = [entry.record for entry in self._entries.values()]
        return [record for record in records if pipeline in (None, record.pipeline)]

    def register(self, record: IndexRecord) -> IndexRecord:
        with self._lock:
            for known in self.indices(record.pipeline):
                if known.role is record.role:
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
        assert settlement.reconcile is None
        with self._lock:
            if index not in self._entries:
                raise IndexMissing(f"the state knows no index {index}")
            return self._entries[index].settle(settlement)

    def mark_verify_needed(self, index: str, reason: str) -> None:
        with self._lock:
            if index in self._entries:
                entry = self._entries[index]
                entry.record = replace(entry.record, verify_needed=reason)

    def verified(self, record: IndexRecord, at: datetime) -> None:
        with self._lock:
            if record.name in self._entries:
                entry = self._entries[record.name]
                known = entry.record
                entry.record = replace(
                    known,
                    verify_needed=None if known.verify_needed == record.verify_needed else known.verify_needed,
                    reconcile=None if known.reconcile == record.reconcile else known.reconcile,
                    verified_at=max(known.verified_at or at, at),
                )

    def reconciled(self, record: IndexRecord) -> None:
        with self._lock:
            if record.name in self._entries and self._entries[record.name].record.reconcile == record.reconcile:
                entry = self._entries[record.name]
                entry.record = replace(entry.record, reconcile=None)

    def least_checkpoint(self, feed: str) -> datetime | None:
        with self._lock:
            known = [entry.checkpoints[feed] for entry in self._entries.values() if feed in entry.checkpoints]
        return min((checkpoint.position.watermark for checkpoint in known), default=None)

    def passing_letters(self, index: str, at: datetime, limit: int) -> Sequence[Key]:
        with self._lock:
            letters = self._entries[index].dead_letters.values() if index in self._entries else ()
            due = sorted((due_at, letter.key) for letter in letters if (due_at := letter.retry_at) and due_at <= at)
        return [key for _, key in due[:limit]]

    def paused(self, pipeline: str) -> datetime | None:
        with self._lock:
            return self._pauses.get(pipeline)

    def pause(self, pipeline: str, at: datetime) -> datetime:
        with self._lock:
            return self._pauses.setdefault(pipeline, at)

    def resume(self, pipeline: str) -> bool:
        with self._lock:
            return self._pauses.pop(pipeline, None) is not None

    def ask(self, pipeline: str, leases: int | None) -> None:
        with self._lock:
            self._asking.pop(pipeline, None)
            if leases is not None:
                self._asking[pipeline] = leases

    def claim(self, index: str, wanted: bool) -> None:
        with self._lock:
            if wanted:
                self._claimed.add(index)
            else:
                self._claimed.discard(index)

    def claimed(self, index: str) -> bool:
        with self._lock:
            return index in self._claimed

    def asking(self, pipeline: str) -> int | None:
        with self._lock:
            return self._asking.get(pipeline)

    def dead_letters(
        self,
        index: str,
        limit: int = 100,
        *,
        after: DeadLetter | None = None,
        kind: str | None = None,
        keys: Sequence[Key] | None = None,
    ) -> Sequence[DeadLetter]:
        with self._lock:
            chosen = sorted(self._chosen(index, kind, keys), key=_place)
        return [letter for letter in chosen if after is None or _place(letter) > _place(after)][:limit]

    def discard(self, index: str, *, kind: str | None = None, keys: Sequence[Key] | None = None) -> int:
        """Forget dead letters, those of this kind and of these keys; return how many."""
        with self._lock:
            chosen = self._chosen(index, kind, keys)
            for letter in chosen:
                del self._entries[index].dead_letters[letter.key]
            return len(chosen)

    def _chosen(self, index: str, kind: str | None, keys: Sequence[Key] | None) -> Sequence[DeadLetter]:
        letters = self._entries[index].dead_letters if index in self._entries else {}
        return [
            letter
            for letter in letters.values()
            if (kind is None or letter.kind == kind) and (keys is None or letter.key in keys)
        ]

    def overview(self, index: str) -> Overview:
        """Return what else is known of an index; nothing, of an unknown one."""
        with self._lock:
            if index not in self._entries:
                return Overview({}, 0, 0, None)
            entry = self._entries[index]
            passing = sum(letter.passing for letter in entry.dead_letters.values())
            holder = "memory" if entry.lease else None
            return Overview(dict(entry.checkpoints), len(entry.dead_letters), passing, holder)

    def expire(self, index: str) -> None:
        """Take from their holders the lease and the backfill of an index, as when their sessions have ended."""
        with self._lock:
            self._entries[index].lease = self._entries[index].backfill = None

    def fail_over(self, lost: int) -> None:
        """Come back as an older copy: so many numbers are drawn a second time, and all sessions have ended."""
        with self._lock:
            self._number = max(0, self._number - lost)
            for index in self._entries:
                self.expire(index)

    def _entry(self, index: str) -> _Entry:
        if index not in self._entries:
            raise LeaseLost(f"the state of index {index} was deleted by somebody else")
        return self._entries[index]


def _place(letter: DeadLetter) -> tuple[datetime, Key]:
    return letter.since, letter.key


class MemoryLease:
    """Implements `Lease`."""

    def __init__(self, store: MemoryStateStore, index: str, epoch: int) -> None:
        self._store = store
        self.index = index
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
        definition: Mapping[str, Any] | None = None,
        filling: bool | None = None,
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
                definition=known.definition if definition is None else definition,
                filling=known.filling if filling is None else filling,
            )

    def succeed(self, old: Lease | None, at: datetime) -> None:
        assert old is None or isinstance(old, MemoryLease)
        with self._store._lock:
            entry = self._held()
            followed = self._store.index(entry.record.pipeline)
            if followed is not None and followed.name not in {self.index, old and old.index}:
                raise LeaseHeld(f"index {followed.name} is followed by now")
            if old is not None:
                before = old._held()
                before.record = replace(before.record, followed=False, phase=Phase.KEPT, kept_since=at)
            entry.record = replace(entry.record, followed=True, phase=Phase.PUBLISHING, kept_since=None)

    def prove(self) -> None:
        with self._store._lock:
            self._held()

    def release(self) -> None:
        with self._store._lock:
            entry = self._store._entries.get(self.index)
            if entry is not None and entry.lease is self:
                entry.lease = None

    def _held(self) -> _Entry:
        entry = self._store._entry(self.index)
        if entry.lease is not self:
            raise LeaseLost(f"the lease of index {self.index} was lost")
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
