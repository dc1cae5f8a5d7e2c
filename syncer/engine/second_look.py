"""Looks again at rows that were refused, for those who are not the poller."""

from __future__ import annotations

from collections.abc import Sequence

from syncer.core.ledger import Ledger
from syncer.core.outcome import Applied, Stale
from syncer.core.settlement import DeadLetter, Settlement
from syncer.engine.deliver import Delivery
from syncer.ports import Clock


def second_look(delivery: Delivery, letters: Sequence[DeadLetter], clock: Clock) -> Settlement:
    """Deliver rows once more whose dead letters have just been stored; return what closes the letters of good ones.

    A row may have been mended, and delivered by the poller, between its refusal and the storing of its letter: the good
    write found no letter to close, and nobody would come by again. A row that is refused again adds no attempt.
    """
    ledger = Ledger()
    if letters:
        delivered = delivery.deliver(list(dict.fromkeys(letter.key for letter in letters)))
        ledger.count(delivered.report)
        for key, outcome in delivered.outcomes.items():
            if isinstance(outcome, Applied | Stale):
                ledger.note(key, outcome, delivered.number(key), clock.now())
    return ledger.close()
