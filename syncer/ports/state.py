"""Everything syncer must remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from syncer.core.fan_out import FanOut
from syncer.core.index import IndexIdentity, IndexRecord, Phase
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.settlement import Checkpoint, DeadLetter, Settlement
from syncer.core.source_state import SourceIdentity


class Numbers(Protocol):
    """The one sequence that versions are drawn from."""

    def draw(self) -> int:
        """Return a number higher than all that were drawn before, by anybody. Raises StateUnavailable or LeaseLost."""

    def raise_above(self, version: int) -> None:
        """See to it that every later number is above `version`; never lowers. Raises like `draw`."""


class Lease(Numbers, Protocol):
    """The right to poll into one index, held by a session; its numbers are the poller's."""

    @property
    def index(self) -> str:
        """The index's name."""

    @property
    def epoch(self) -> int:
        """Counts the holders."""

    def checkpoints(self) -> Mapping[str, Checkpoint]:
        """Return the committed checkpoints by feed. Raises LeaseLost."""

    def fan_out(self) -> FanOut | None:
        """Return the fan-out that has waited longest, of those that are committed. Raises LeaseLost."""

    def commit(self, settlement: Settlement) -> int:
        """Make it durable in one transaction, fenced by the epoch; return the open dead letters. Raises LeaseLost."""

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
        """Change the index's record, what is not None of it, fenced by the epoch. Raises LeaseLost."""

    def succeed(self, old: Lease | None, at: datetime) -> None:
        """Make this index the one that is followed, in phase PUBLISHING, and the old one KEPT since then.

        One transaction, fenced by both epochs; `old`: the lease of the index that is followed, None where none is.
        Raises LeaseLost, and LeaseHeld where another index is followed.
        """

    def prove(self) -> None:
        """Raise LeaseLost unless the lease was held a moment ago, for certain. Cheap, and safe for several threads."""

    def release(self) -> None:
        """Give the lease up. Never raises: a session that is gone has given it up already."""


class BackfillProgress(Protocol):
    """What remains of an index's backfill, held by a session: a process whose session is gone cannot change it.

    Raises LeaseLost. Safe to call from several threads.
    """

    def ranges(self) -> Sequence[KeyRange]:
        """Return the ranges of an unfinished backfill with what is settled of them; none: there is no such backfill."""

    def plan(self, ranges: Sequence[KeyRange]) -> None:
        """Begin a backfill, in place of an unfinished one."""

    def advance(self, range_: KeyRange, settlement: Settlement) -> int:
        """Store how far a range is, and dead letters, in one transaction; return the open dead letters."""

    def finish(self) -> None:
        """Forget the ranges: the backfill is complete."""

    def release(self) -> None:
        """Let others go on with it. Never raises."""


class StateStore(Numbers, Protocol):
    """Everything syncer must remember. Raises StateUnavailable."""

    def index(self, pipeline: str) -> IndexRecord | None:
        """Return the record of the index that the pipeline's daemon follows, if any."""

    def named(self, index: str) -> IndexRecord | None:
        """Return the record of a physical index."""

    def indices(self, pipeline: str | None = None) -> Sequence[IndexRecord]:
        """Return the records of a pipeline, or of all; the oldest first."""

    def register(self, record: IndexRecord) -> IndexRecord:
        """Store a new record, unless the pipeline has one of this role, and return the one that is there.

        Safe when raced.
        """

    def forget(self, index: str) -> None:
        """Delete an index's record and all that hangs on it. Idempotent."""

    def acquire(self, index: str) -> Lease:
        """Take the lease of an index and begin its next epoch. Raises LeaseHeld."""

    def backfill(self, index: str) -> BackfillProgress:
        """Take hold of an index's backfill, which only one process may run at a time. Raises LeaseHeld."""

    def record(self, index: str, settlement: Settlement) -> int:
        """Store dead letters, and close them, for those who hold no lease; there is nothing else in the settlement.

        Returns the open dead letters.
        """

    def mark_verify_needed(self, index: str, reason: str) -> None:
        """Say that the index should be compared with the source. Idempotent."""

    def verified(self, record: IndexRecord, at: datetime) -> None:
        """Say that the index was found equal to the source.

        What asked for it is forgotten (`verify_needed`, `reconcile`, `truncated`), but not what has asked since the
        record was read.
        """

    def reconciled(self, record: IndexRecord) -> None:
        """Say that the index was compared with the table.

        Forgets what asked for it (`reconcile`, `truncated`), but not what has asked since the record was read.
        """

    def least_checkpoint(self, feed: str) -> datetime | None:
        """Return the least watermark up to which any index has settled the feed, or a feed whose name goes on behind it
        with ` by `; None: no index knows one."""

    def dead_letters(
        self,
        index: str,
        limit: int = 100,
        *,
        after: DeadLetter | None = None,
        kind: str | None = None,
        keys: Sequence[Key] | None = None,
    ) -> Sequence[DeadLetter]:
        """Return up to so many open dead letters, the one open longest first, from the one behind `after`.

        kind, keys: only those of this kind, and of these keys.
        """

    def passing_letters(self, index: str, at: datetime, limit: int) -> Sequence[Key]:
        """Return keys of dead letters whose cause may pass, and whose next attempt is due by then."""

    def paused(self, pipeline: str) -> datetime | None:
        """Return since when the pipeline is paused; None: it is not."""

    def pause(self, pipeline: str, at: datetime) -> datetime:
        """Pause the pipeline, unless it is paused already; return since when it is."""

    def resume(self, pipeline: str) -> bool:
        """End the pipeline's pause; tell whether there was one."""

    def ask(self, pipeline: str, leases: int | None) -> None:
        """Let others know that this process waits for the pipeline's lease, and how many it has; None: it does not
        wait. Forgotten with the process; to be repeated every few seconds, for it may be forgotten earlier."""

    def claim(self, index: str, wanted: bool) -> None:
        """Let the holder of the index's lease know that it is wanted for a swap, or no longer. Forgotten with the
        process; to be repeated every few seconds."""

    def claimed(self, index: str) -> bool:
        """Tell whether somebody wants the index's lease for a swap."""

    def asking(self, pipeline: str) -> int | None:
        """Return how many leases the one has that waits for the pipeline's with the fewest; None: nobody waits."""
