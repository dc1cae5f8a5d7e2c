"""Put one index in the place of another: the leases of both are held, so nobody else swaps or polls meanwhile.

    the holder of the followed index hands it over ──▶ the new one catches up ──▶ the state: followed, PUBLISHING
        ──▶ the alias, atomically ──▶ LIVE

The state changes first. Killed after that, whoever attaches to the index next points the alias to it; the other way
round, searches would find an index that nobody follows and nobody knows of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress

from syncer.core.error import LeaseHeld, SyncerError
from syncer.core.fingerprint import superseding
from syncer.core.index import Phase
from syncer.engine.attach import current
from syncer.engine.events import Events
from syncer.engine.insist import Stopped
from syncer.engine.pipeline import Pipeline
from syncer.engine.publish import finish_publishing, let_age
from syncer.ports import Lease

#: How long a swap waits for the holder of a lease, which may be in the middle of a poll.
CLAIM_SECONDS = 120.0
_ASK_SECONDS = 0.2


def swap(
    pipeline: Pipeline,
    lease: Lease,
    events: Events,
    catch_up: Callable[[], None],
    *,
    take_over: bool = False,
) -> None:
    """Let searches find the leased index from now on; the one before is kept.

    catch_up: called when nobody polls the old index any more. Raises LeaseHeld where its holder does not let go, and
    Stopped.
    """
    record = current(pipeline, lease)
    if record.phase is Phase.KEPT and pipeline.lifecycle is not None:
        # Else its age would delete it while it is searched.
        pipeline.lifecycle.release(record)
    live = pipeline.store.index(pipeline.name)
    old = live if live is not None and live.name != lease.index else None
    with handed_over(pipeline, old.name) if old is not None else nullcontext() as held:
        catch_up()
        if not take_over:
            # Before the roles change: then the alias must move, or nobody would follow what searches find.
            pipeline.indices.prove_alias(record.alias, pipeline.name)
        if old is not None:
            lease.update(superseded=superseding(old.superseded, old.fingerprint, record.fingerprint))
        lease.succeed(held, pipeline.clock.now())
        finish_publishing(pipeline, lease, record, take_over=take_over)
        events.swapped(None if old is None else old.name, lease.index)
        if old is not None:
            try:
                _put_away(pipeline, old.name, events)
            except SyncerError as error:
                # The index is in its place: a command that fails would be repeated, and build another one.
                events.retiring_failed(error)


@contextmanager
def handed_over(pipeline: Pipeline, index: str) -> Iterator[Lease]:
    """Lend the lease of an index, which its holder hands over. Raises LeaseHeld where it does not, and Stopped."""
    lease = _claimed(pipeline, index)
    try:
        # Else the holder itself would take it for somebody else's.
        pipeline.store.claim(index, False)
        yield lease
    finally:
        lease.release()


def _claimed(pipeline: Pipeline, index: str) -> Lease:
    store, clock = pipeline.store, pipeline.clock
    deadline = clock.monotonic() + CLAIM_SECONDS
    try:
        while True:
            # Again each time: what is not repeated is forgotten.
            store.claim(index, True)
            try:
                return store.acquire(index)
            except LeaseHeld as held:
                if clock.monotonic() >= deadline:
                    raise LeaseHeld(
                        f"index {index} is not handed over within {CLAIM_SECONDS:g} s: {held.message}",
                        hint="its holder may be in the middle of a long poll: the same command tries again",
                    ) from held
            if clock.wait(_ASK_SECONDS):
                raise Stopped
    except BaseException:
        with suppress(SyncerError):
            store.claim(index, False)
        raise


def _put_away(pipeline: Pipeline, index: str, events: Events) -> None:
    """See to an index that was replaced: it may have been deleted by somebody, which is why it was."""
    record = pipeline.store.named(index)
    if record is None or record.phase is not Phase.KEPT:
        return
    if not pipeline.indices.statistics([index]):
        pipeline.store.forget(index)
        events.discarded(record, "it was gone already")
    else:
        let_age(pipeline, record, events)
