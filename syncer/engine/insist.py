"""Deliver keys until every one of them is settled, for those who have no next poll to leave them to."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from syncer.core.error import SinkUnavailable
from syncer.core.key import Key
from syncer.core.outcome import Deferred, Outcome
from syncer.core.report import Report
from syncer.core.retry import backoff_seconds
from syncer.engine.deliver import Delivered, Delivery
from syncer.ports import Clock

ATTEMPTS_MAX = 12


def insist(delivery: Delivery, delivered: Delivered, clock: Clock) -> tuple[Mapping[Key, tuple[Outcome, int]], Report]:
    """Return the final outcome and number of each key of a delivered batch, after sending again what was put off.

    Raises SinkUnavailable where keys are still put off after ATTEMPTS_MAX attempts, or the process is asked to stop.
    """
    final: dict[Key, tuple[Outcome, int]] = {}
    report = Report()
    attempt = 0
    while True:
        report += delivered.report
        final |= {key: (outcome, delivered.number(key)) for key, outcome in delivered.outcomes.items()}
        waiting = {key: o for key, (o, _) in final.items() if isinstance(o, Deferred)}
        if not waiting:
            return final, report
        attempt += 1
        last = next(iter(waiting.values()))
        asked = max((o.retry_after or 0.0 for o in waiting.values()), default=0.0)
        if attempt > ATTEMPTS_MAX or clock.wait(backoff_seconds(attempt, random.random, asked)):
            raise SinkUnavailable(f"Elasticsearch puts off {len(waiting)} documents: {last.reason}")
        delivered = delivery.deliver(list(waiting))
        delivered = replace(delivered, report=replace(delivered.report, read=0))
