"""Deliver some rows now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial

from syncer.core.key import Key
from syncer.core.ledger import Ledger
from syncer.core.report import Report
from syncer.engine.batch import KeyBatch
from syncer.engine.course import prove_current
from syncer.engine.deliver import Delivery, Draw
from syncer.engine.insist import Stopped, insist
from syncer.engine.pipeline import Pipeline
from syncer.engine.second_look import second_look
from syncer.ports import Documents, KeyFeed


def resync(pipeline: Pipeline, documents: Documents, index: str, feed: KeyFeed) -> Report:
    """Deliver the keys of a feed into a physical index; safe beside the daemon. Repeating it is harmless.

    Ends early, after what is under way, when the process is asked to stop. A key that is not in the table is removed
    from the index: where a column of its own routed its document, and nobody knows where to, from where its id leads.
    Raises what `Delivery.run` raises, and TooManyRejections.
    """
    delivery = pipeline.delivery(
        documents,
        index,
        pipeline.store,
        draw=Draw.BEFORE_HYDRATION,
        recheck_created=True,
        prove=partial(prove_current, pipeline, index),
    )
    report = Report()
    with suppress(Stopped):
        for counted in deliver_batches(pipeline, delivery, index, _batches(pipeline, feed)):
            report += counted
    return report


def deliver_batches(
    pipeline: Pipeline, delivery: Delivery, index: str, batches: Iterable[KeyBatch]
) -> Iterator[Report]:
    """Deliver batches, for who is not the poller, and store what has become of each before its report is yielded.

    Raises what `Delivery.run` raises, TooManyRejections, and Stopped.
    """
    ledger = Ledger()
    for _, delivered in delivery.run(batches):
        final, counted = insist(delivery, delivered, pipeline.clock)
        for key, (outcome, version) in final.items():
            ledger.note(key, outcome, version, pipeline.clock.now())
        ledger.count(counted)
        settlement = ledger.close()
        open_now = pipeline.store.record(index, settlement)
        if settlement.dead_letters:
            mended = second_look(delivery, settlement.dead_letters, pipeline.clock)
            open_now = pipeline.store.record(index, mended)
        pipeline.budget.spend(open_now, settlement.dead_letters)
        yield counted


def _batches(pipeline: Pipeline, feed: KeyFeed) -> Iterator[KeyBatch]:
    position: Key | None = None
    while not pipeline.clock.stopping():
        keys = feed.read(position, None, pipeline.pacing.pace.of(pipeline.limits.poll.batch_rows))
        if not keys:
            return
        position = keys[-1]
        yield KeyBatch(keys)
