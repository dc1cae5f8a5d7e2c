"""What a worker does between polls, each now and then."""

from __future__ import annotations

from datetime import datetime, timedelta

from syncer.core.error import FatalError, LeaseHeld
from syncer.core.index import IndexRecord
from syncer.core.position import earlier
from syncer.engine.attach import prove_index
from syncer.engine.beside import Beside
from syncer.engine.events import Events
from syncer.engine.fill import fill_added
from syncer.engine.pipeline import Pipeline, Reader
from syncer.engine.polled import Polled
from syncer.engine.reconciler import reconcile_asked
from syncer.ports import Clock, Lease, Tombstones

#: How often it is asked whether the pipeline is paused, and whether the lease is wanted.
ASK_SECONDS = 1.0
#: From when on it is told who holds the checkpoint back, and how often then.
HELD_BACK_SECONDS = 60.0
#: After how long it is told that polls do not catch up, and how often then.
BEHIND_SECONDS = 60.0
#: How often it is told why documents are put off.
PUT_OFF_SECONDS = 60.0
#: How often what came to no end is begun again.
BEGIN_AGAIN_SECONDS = 60.0
#: How often the index is compared with the one that the checkpoint was made for.
PROOF_SECONDS = 60.0
#: How often tombstones are pruned, how many in one statement, and how many statements between two polls.
PRUNE_SECONDS = 3600.0
PRUNED_ROWS = 5_000
PRUNED_PIECES = 10
#: How long tombstones outlive every checkpoint that has passed them, beyond `rewind`.
KEPT = timedelta(days=1)


class Upkeep:
    """The chores of one session; not for several threads."""

    def __init__(
        self,
        pipeline: Pipeline,
        reader: Reader,
        lease: Lease,
        record: IndexRecord,
        events: Events,
        *,
        yields: bool = True,
    ) -> None:
        """yields: the lease, to who wants it for a swap."""
        self._pipeline = pipeline
        self._yields = yields
        self._reader = reader
        self._lease = lease
        self._record = record
        self._events = events
        clock = pipeline.clock
        self._ask = _Timer(clock, ASK_SECONDS)
        self._telling = _Timer(clock, HELD_BACK_SECONDS)
        self._behind = _Timer(clock, BEHIND_SECONDS)
        self._listen = _Timer(clock, ASK_SECONDS)
        self._putting_off = _Timer(clock, PUT_OFF_SECONDS, at_once=True)
        self._proof = _Timer(clock, PROOF_SECONDS)
        self._prune = _Timer(clock, PRUNE_SECONDS, at_once=True)
        self._begin_again = _Timer(clock, BEGIN_AGAIN_SECONDS, at_once=True)
        self._reconciling = Beside(
            "reconcile",
            clock.stopping,
            lambda stopping: reconcile_asked(pipeline, record.name, events, stopping),
            events.reconciling_failed,
        )
        self._filling = Beside(
            "fill",
            clock.stopping,
            lambda stopping: fill_added(pipeline, lease, events, stopping),
            events.filling_failed,
        )

    def heed(self) -> None:
        """Do what others ask for. Raises Paused, LeaseHeld, and what the ports raise."""
        if self._ask.due():
            self._pipeline.prove_not_paused()
            if self._yields:
                prove_not_claimed(self._pipeline, self._record.name)

    def wanted(self) -> bool:
        """Tell, now and then, whether somebody wants the lease for a swap: a long poll should end then."""
        return self._yields and self._listen.due() and self._pipeline.store.claimed(self._record.name)

    def between_polls(self, polled: Polled) -> None:
        """Do what is due. Raises Paused, LeaseHeld, IndexReplaced, IndexMissing, and what the ports raise."""
        self.heed()
        held_back = polled.held_back.total_seconds()
        if held_back > HELD_BACK_SECONDS and self._telling.due():
            self._events.held_back(held_back, self._reader.source.blockers())
        if not polled.more:
            self._behind.restart()
        elif self._behind.due():
            self._events.behind(polled.behind.total_seconds())
        if polled.deferred_reason is not None and self._putting_off.due():
            self._events.put_off(polled.deferred, polled.deferred_reason)
        if self._proof.due():
            self._prove_index()
        if self._prune.due():
            self._prune_tombstones()
        if polled.reconcile or self._begin_again.due():
            self._begin()

    def _prove_index(self) -> None:
        try:
            prove_index(self._pipeline, self._record)
        except FatalError:
            # Whoever has taken the lease may have swapped the index and deleted it since: that is no fault.
            self._lease.prove()
            raise

    def close(self) -> None:
        """End what goes on beside the polls. Never raises."""
        self._reconciling.close()
        self._filling.close()

    def _begin(self) -> None:
        """Begin what the state asks for."""
        record = self._pipeline.store.named(self._record.name)
        if record is not None and record.reconcile is not None:
            self._reconciling.begin()
        if record is not None and record.filling:
            self._filling.begin()

    def _prune_tombstones(self) -> None:
        """Delete the tombstones that no index can need any more, even one whose source goes back in time."""
        for tombstones in self._reader.tombstones:
            least = self._pipeline.store.least_checkpoint(tombstones.name)
            if least is not None:
                self._prune_before(earlier(least, self._pipeline.limits.rewind + KEPT), tombstones)

    def _prune_before(self, before: datetime, tombstones: Tombstones) -> None:
        for _ in range(PRUNED_PIECES):
            if self._pipeline.clock.stopping() or tombstones.prune(before, PRUNED_ROWS) < PRUNED_ROWS:
                return
        self._prune.hurry()


def prove_not_claimed(pipeline: Pipeline, index: str) -> None:
    """Raise LeaseHeld where somebody wants the index's lease for a swap."""
    if pipeline.store.claimed(index):
        raise LeaseHeld(f"the lease of index {index} is left to who swaps indices")


class _Timer:
    """Says when something is due that is done every so often."""

    def __init__(self, clock: Clock, seconds: float, *, at_once: bool = False) -> None:
        self._clock = clock
        self._seconds = seconds
        self._next = clock.monotonic() + (0.0 if at_once else seconds)

    def due(self) -> bool:
        """Tell whether it is, and begin anew if so."""
        if self._clock.monotonic() < self._next:
            return False
        self.restart()
        return True

    def restart(self) -> None:
        """Be due after the whole time again."""
        self._next = self._clock.monotonic() + self._seconds

    def hurry(self) -> None:
        """Be due the next time."""
        self._next = self._clock.monotonic()
