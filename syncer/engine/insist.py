"""Deliver keys until every one of them is settled, for those who have no next poll to leave them to."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from syncer.core.error import SinkUnavailable
from syncer.core.key import Key
from syncer.core.outcome import Applied, Deferred, Outcome, Stale
from syncer.core.report import Report
from syncer.core.retry import backoff_seconds
from syncer.engine.batch import Delivered
from syncer.engine.deliver import Delivery
from syncer.ports import Clock

ATTEMPTS_MAX = 12

Final = Mapping[Key, tuple[Outcome, int]]


class Stopped(Exception):
    """The process was asked to stop while keys were put off; whoever catches it keeps what is settled, and ends."""


def insist(delivery: Delivery, delivered: Delivered, clock: Clock) -> tuple[Final, Report]:
    """Return the final outcome and number of each key of a delivered batch, after sending again what was put off.

    Raises Stopped, and SinkUnavailable where keys are still put off after ATTEMPTS_MAX attempts. Rows that meet an
    internal error of the server again and again, while others of their batch went through, are rejected then.
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
        if attempt > ATTEMPTS_MAX:
            return _given_up(final, waiting), report + Report(rejected=len(waiting))
        asked = max((o.retry_after or 0.0 for o in waiting.values()), default=0.0)
        if clock.wait(backoff_seconds(attempt, random.random, asked)):
            raise Stopped
        delivered = delivery.deliver(list(waiting))
        delivered = replace(delivered, report=replace(delivered.report, read=0))


def _given_up(final: Final, waiting: Mapping[Key, Deferred]) -> Final:
    good = any(isinstance(outcome, Applied | Stale) for outcome, _ in final.values())
    # A batch may hold a single row, which then has nothing to be compared with.
    if not (good or len(waiting) == 1) or not all(outcome.suspect for outcome in waiting.values()):
        last = next(iter(waiting.values()))
        raise SinkUnavailable(f"Elasticsearch puts off {len(waiting)} documents: {last.reason}")
    return {**final, **{key: (outcome.given_up(), final[key][1]) for key, outcome in waiting.items()}}
