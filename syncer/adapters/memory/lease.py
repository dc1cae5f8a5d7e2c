"""The lease of an index, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from syncer.adapters.memory.database import IndexEntry, MemoryDatabase
from syncer.core.error import LeaseHeld, LeaseLost
from syncer.core.fan_out import FanOut
from syncer.core.index import IndexIdentity, Phase
from syncer.core.settlement import Checkpoint, Settlement
from syncer.core.source_state import SourceIdentity
from syncer.ports import Lease


class MemoryLease:
    """Implements `Lease`."""

    def __init__(self, database: MemoryDatabase, index: str, epoch: int) -> None:
        self._database = database
        self.index = index
        self.epoch = epoch

    def draw(self) -> int:
        with self._database.lock:
            self._held()
            return self._database.draw()

    def raise_above(self, version: int) -> None:
        with self._database.lock:
            self._held()
            self._database.raise_above(version)

    def checkpoints(self) -> Mapping[str, Checkpoint]:
        with self._database.lock:
            return dict(self._held().checkpoints)

    def fan_out(self) -> FanOut | None:
        with self._database.lock:
            return next(iter(self._held().fan_outs.values()), None)

    def commit(self, settlement: Settlement) -> int:
        with self._database.lock:
            entry = self._held()
            entry.checkpoints.update(settlement.checkpoints)
            for feed in settlement.ended:
                entry.checkpoints.pop(feed, None)
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
        superseded: Sequence[str] | None = None,
    ) -> None:
        with self._database.lock:
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
                superseded=known.superseded if superseded is None else tuple(superseded),
            )

    def succeed(self, old: Lease | None, at: datetime) -> None:
        assert old is None or isinstance(old, MemoryLease)
        with self._database.lock:
            entry = self._held()
            followed = self._database.followed(entry.record.pipeline)
            if followed is not None and followed.name not in {self.index, old and old.index}:
                raise LeaseHeld(f"index {followed.name} is followed by now")
            if old is not None:
                before = old._held()
                before.record = replace(before.record, followed=False, phase=Phase.KEPT, kept_since=at)
            entry.record = replace(entry.record, followed=True, phase=Phase.PUBLISHING, kept_since=None)

    def prove(self) -> None:
        with self._database.lock:
            self._held()

    def release(self) -> None:
        with self._database.lock:
            entry = self._database.entries.get(self.index)
            if entry is not None and entry.lease is self:
                entry.lease = None

    def _held(self) -> IndexEntry:
        entry = self._database.entry(self.index)
        if entry.lease is not self:
            raise LeaseLost(f"the lease of index {self.index} was lost")
        return entry
