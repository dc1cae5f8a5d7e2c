"""What the engine tells those who watch it: logs, progress bars, metrics, tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from syncer.core.error import SyncerError
from syncer.core.index import IndexRecord, Targets
from syncer.core.source_state import Blocker
from syncer.engine.polled import Polled
from syncer.engine.verify import Verified


class Events(Protocol):
    """Called from the thread where it happens; must return quickly and never raise."""

    def attached(self, record: IndexRecord) -> None:
        """The lease is held and the index is the right one; a load may follow."""

    def loading(self, settled: int, total: int) -> None:
        """A load has settled so many rows."""

    def loaded(self, record: IndexRecord) -> None:
        """The index is loaded and published."""

    def replacing(self, record: IndexRecord, changes: Sequence[str]) -> None:
        """A daemon begins to build another index, for the configuration differs from this one's."""

    def building(self, record: IndexRecord) -> None:
        """A rebuild has come to the phase of this record."""

    def comparing(self, settled: int, total: int) -> None:
        """A rebuild has compared so many rows."""

    def discarded(self, record: IndexRecord, why: str) -> None:
        """An index was deleted, or forgotten where it was gone."""

    def building_graphs(self, index: str) -> None:
        """The server builds what searches for vectors need of an index that is loaded."""

    def not_green(self, index: str, unassigned: int) -> None:
        """So many copies of shards of an index that is about to be searched find no place."""

    def swapped(self, old: str | None, new: str) -> None:
        """Searches find another index from now on."""

    def extended(self, record: IndexRecord, changes: Sequence[str]) -> None:
        """Fields were added to the index in place; a backfill fills them."""

    def filled(self, record: IndexRecord) -> None:
        """That backfill is complete."""

    def filling_failed(self, error: SyncerError) -> None:
        """That backfill came to no end; another one goes on with it."""

    def lifecycle_refused(self, error: SyncerError) -> None:
        """The server does not take care of an ageing index as was configured."""

    def follower_failed(self, error: SyncerError) -> None:
        """An index beside the live one cannot be followed; another attempt follows."""

    def retiring_failed(self, error: SyncerError) -> None:
        """Kept indices that are not needed any more could not be deleted; another attempt follows."""

    def astray(self, alias: str, index: str, targets: Targets) -> None:
        """The alias does not stand for the followed index alone; told once a session."""

    def polled(self, polled: Polled, seconds: float) -> None:
        """A poll has settled."""

    def held_back(self, seconds: float, blockers: Sequence[Blocker]) -> None:
        """Open transactions have kept the checkpoint so far behind the clock; told once a minute while it lasts."""

    def behind(self, seconds: float) -> None:
        """Polls have not come to the end of what is committed for a minute, so much of it; told once a minute."""

    def put_off(self, documents: int, reason: str) -> None:
        """So many documents are put off, one of them for this reason; told once a minute while it lasts."""

    def reconciled(self, verified: Verified) -> None:
        """The index was compared with its table, for that was asked for; `refused` where too much was to be deleted."""

    def reconciling_failed(self, error: SyncerError) -> None:
        """That comparison came to no end; another one follows."""

    def standing_by(self, error: SyncerError) -> None:
        """Another process holds the lease."""

    def backing_off(self, error: SyncerError, attempt: int, seconds: float) -> None:
        """Something is away; the next attempt comes after so many seconds."""
