"""Closes the dead letters of rows whose index is right: a row that went without a trace left its letter."""

from __future__ import annotations

from collections.abc import Callable

from syncer.core.index import IndexRecord
from syncer.core.key import document_id
from syncer.core.settlement import DeadLetter
from syncer.engine.insist import Stopped
from syncer.engine.look import Looker
from syncer.engine.pipeline import Pipeline
from syncer.engine.repair import Repair

#: Dead letters that are read at once.
_LETTERS = 1_000


def close_letters(
    pipeline: Pipeline, record: IndexRecord, looker: Looker, repair: Repair, stopping: Callable[[], bool]
) -> int:
    """Deliver the rows that are as they should be, or gone with their documents; return how many letters that closes.

    Raises what looking and delivering raise, and Stopped.
    """
    closed = 0
    after: DeadLetter | None = None
    while page := pipeline.store.dead_letters(record.name, _LETTERS, after=after):
        after = page[-1]
        keys = {document_id(letter.key): letter.key for letter in page}
        wrong: set[str] = set()
        for part in looker.look(list(keys)):
            wrong |= part.keys()
            if stopping():
                raise Stopped
        right = [key for id_, key in keys.items() if id_ not in wrong]
        repair.deliver(right)
        closed += len(right)
    return closed
