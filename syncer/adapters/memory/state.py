"""Everything syncer must remember, in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from syncer.adapters.memory.backfill_progress import MemoryBackfillProgress
from syncer.adapters.memory.database import IndexEntry, MemoryDatabase
from syncer.adapters.memory.lease import MemoryLease
from syncer.core.error import ConfigurationError, IndexMissing, LeaseHeld
from syncer.core.index import IndexRecord
from syncer.core.key import Key
from syncer.core.overview import Holder, Overview
from syncer.core.settlement import DeadLetter, Settlement


class MemoryStateStore:
    """Implements `StateStore`; those who share it are as processes that share a database."""

    def __init__(self) -> None:
        self._database = MemoryDatabase()
        self._lock = self._database.lock
        self._entries = self._database.entries
        self._pauses: dict[str, datetime] = {}
        #: By pipeline, what was said last.
        self._asking: dict[str, int] = {}
        self._claimed: set[str] = set()

    def draw(self) -> int:
        with self._lock:
            return self._database.draw()

    def raise_above(self, version: int) -> None:
        with self._lock:
            self._database.raise_above(version)

    def index(self, pipeline: str) -> IndexRecord | None:
        with self._lock:
            return self._database.followed(pipeline)

    def named(self, index: str) -> IndexRecord | None:
        return next((record for record in self.indices() if record.name == index), None)

    def indices(self, pipeline: str | None = None) -> Sequence[IndexRecord]:
        with self._lock:
            return self._database.records(pipeline)

    def register(self, record: IndexRecord) -> IndexRecord:
        with self._lock:
            for known in self._database.records(record.pipeline):
                if known.role is record.role:
                    return known
            if record.name in self._entries:
                raise ConfigurationError(f"index {record.name} belongs to another pipeline")
            self._entries[record.name] = IndexEntry(record)
            return record

    def forget(self, index: str) -> None:
        with self._lock:
            self._entries.pop(index, None)

    def acquire(self, index: str) -> MemoryLease:
        with self._lock:
            entry = self._database.entry(index)
            if entry.lease is not None:
                raise LeaseHeld(f"the lease of index {index} is held")
            entry.record = replace(entry.record, epoch=entry.record.epoch + 1)
            entry.lease = MemoryLease(self._database, index, entry.record.epoch)
            return entry.lease

    def backfill(self, index: str) -> MemoryBackfillProgress:
        with self._lock:
            entry = self._database.entry(index)
            if entry.backfill is not None:
                raise LeaseHeld(f"the backfill of index {index} is held")
            entry.backfill = MemoryBackfillProgress(self._database, index)
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
                answered = _answered(entry.record, record, "verify_needed", "reconcile", "truncated")
                entry.record = replace(answered, verified_at=max(answered.verified_at or at, at))

    def reconciled(self, record: IndexRecord) -> None:
        with self._lock:
            if record.name in self._entries:
                entry = self._entries[record.name]
                entry.record = _answered(entry.record, record, "reconcile", "truncated")

    def least_checkpoint(self, feed: str) -> datetime | None:
        with self._lock:
            known = [
                checkpoint
                for entry in self._entries.values()
                for name, checkpoint in entry.checkpoints.items()
                if name == feed or name.startswith(f"{feed} by ")
            ]
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
            holder = Holder(os.getpid(), "memory") if entry.lease else None
            return Overview(dict(entry.checkpoints), len(entry.dead_letters), passing, holder, len(entry.fan_outs))

    def expire(self, index: str) -> None:
        """Take from their holders the lease and the backfill of an index, as when their sessions have ended."""
        with self._lock:
            self._entries[index].lease = self._entries[index].backfill = None

    def fail_over(self, lost: int) -> None:
        """Come back as an older copy: so many numbers are drawn a second time, and all sessions have ended."""
        with self._lock:
            self._database.number = max(0, self._database.number - lost)
            for index in self._entries:
                self.expire(index)


def _answered(known: IndexRecord, read: IndexRecord, *asked: str) -> IndexRecord:
    """Return the known record without what has not asked again since it was read."""
    forgotten: dict[str, Any] = {name: None for name in asked if getattr(known, name) == getattr(read, name)}
    return replace(known, **forgotten)


def _place(letter: DeadLetter) -> tuple[datetime, Key]:
    return letter.since, letter.key
