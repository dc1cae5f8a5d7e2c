"""Go on with a rebuild, a promotion or a rollback after errors that pass by themselves."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from syncer.core.error import LeaseHeld, LeaseLost, SyncerError, TransientError
from syncer.core.fingerprint import differences
from syncer.core.index import IndexRecord, Phase
from syncer.core.retry import backoff_seconds
from syncer.engine.events import Events
from syncer.engine.pipeline import Pipeline
from syncer.engine.rebuild import Rebuilt

#: Errors without progress, with the waits between them some ten minutes of an outage.
ATTEMPTS_MAX = 30
#: So many attempts may find a lease held. Where only our end of a connection broke, the server ends its session, which
#: has the lease, some seconds later.
HELD_MAX = 6


def persevere(pipeline: Pipeline, events: Events, act: Callable[[bool], Rebuilt]) -> Rebuilt:
    """Do it until it is done, each time from the phase where it was, after waits like the daemon's.

    act: gets whether an earlier attempt has registered an index. The report is that of the last attempt.
    Raises the last of ATTEMPTS_MAX errors between which it got no further; told to stop, the last one at once.
    """
    clock = pipeline.clock
    before = {record.name: record for record in pipeline.store.indices(pipeline.name)}
    reached: Sequence[object] | None = None
    attempt = held = 0
    while True:
        try:
            records = pipeline.store.indices(pipeline.name)
            rebuilt = _in_place(pipeline, before, records) or act(any(each.name not in before for each in records))
            return replace(rebuilt, old=rebuilt.old or _replaced(before, rebuilt))
        except (LeaseHeld, LeaseLost, TransientError) as error:
            held = held + 1 if isinstance(error, LeaseHeld) else 0
            if held and not (attempt and held <= HELD_MAX):
                raise
            now = _reached(pipeline)
            if now is not None and now != reached:
                reached, attempt = now, 0
            attempt += 1
            if attempt >= ATTEMPTS_MAX:
                error.hint = "; ".join(filter(None, [error.hint, "the same command goes on where it was"]))
                raise
            seconds = backoff_seconds(attempt, random.random, getattr(error, "retry_after", None))
            events.backing_off(error, attempt, seconds)
            if clock.wait(seconds):
                raise


def _reached(pipeline: Pipeline) -> Sequence[object] | None:
    """Return how far its indices are; None: not to be told now."""
    try:
        return [
            (record.name, record.phase, _settled(pipeline, record.name) if record.phase is Phase.LOADING else 0)
            for record in pipeline.store.indices(pipeline.name)
        ]
    except SyncerError:
        return None


def _settled(pipeline: Pipeline, index: str) -> int:
    progress = pipeline.store.backfill(index)
    try:
        return sum(part.settled_rows for part in progress.ranges())
    finally:
        progress.release()


def _in_place(pipeline: Pipeline, before: Mapping[str, IndexRecord], records: Sequence[IndexRecord]) -> Rebuilt | None:
    """Return what an earlier attempt has done to its end, though an error hid that: done again, it would be undone."""
    live = next((record for record in records if record.followed), None)
    if live is None or live.phase is not Phase.LIVE or differences(live.fingerprint, pipeline.fingerprint):
        return None
    known = before.get(live.name)
    if known is not None and known.followed and known.phase is Phase.LIVE:
        return None
    return Rebuilt(live.name, Phase.LIVE)


def _replaced(before: Mapping[str, IndexRecord], rebuilt: Rebuilt) -> str | None:
    if rebuilt.phase is not Phase.LIVE:
        return None
    return next((record.name for record in before.values() if record.followed and record.name != rebuilt.index), None)
