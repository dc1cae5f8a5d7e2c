"""How the pipelines that several processes follow are spread over them.

Who stands by lets the others know for what, and how many pipelines it follows already. Two rules make the shares even,
and neither moves a pipeline to and fro:

- Whoever follows at least two more than one that waits hands a pipeline over to it, one at a time, between two polls.
- Nobody takes a pipeline while one waits for it that follows fewer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from syncer.core.error import LeaseHeld, SyncerError
from syncer.engine.pipeline import Pipeline
from syncer.ports import Lease

#: How often a process looks who waits for a pipeline, and how often it hands one over. Longer than it takes the other
#: to take it, and to say so.
HANDOVER_SECONDS = 5.0


class Share:
    """The pipelines that one process follows. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = 0
        #: Pipelines that this process lets others know it waits for.
        self._asked: set[str] = set()
        self._looked_at: dict[str, float] = {}
        self._handed_over_at = float("-inf")

    @contextmanager
    def lease(self, pipeline: Pipeline, index: str, *, asks: bool) -> Iterator[Lease]:
        """Lend the lease of the pipeline's index.

        asks: let the others know that this process waits for it. Raises LeaseHeld, also where one waits that follows
        fewer.
        """
        store, held = pipeline.store, self._held
        self._ask(pipeline, held if asks else None)
        fewest = store.asking(pipeline.name)
        if fewest is not None and fewest < held:
            raise LeaseHeld(f"pipeline {pipeline.name!r} is left to a process that follows fewer")
        try:
            lease = store.acquire(index)
        except LeaseHeld:
            raise
        except SyncerError:
            # Whoever cannot take it must not keep the others from it.
            self._ask(pipeline, None)
            raise
        try:
            self._ask(pipeline, None)
            with self._counted():
                yield lease
        finally:
            lease.release()

    def prove_fair(self, pipeline: Pipeline) -> None:
        """Raise LeaseHeld where the pipeline is to be handed over."""
        now = pipeline.clock.monotonic()
        if now - self._looked_at.get(pipeline.name, float("-inf")) < HANDOVER_SECONDS:
            return
        self._looked_at[pipeline.name] = now
        fewest = pipeline.store.asking(pipeline.name)
        with self._lock:
            if fewest is None or self._held - fewest < 2 or now - self._handed_over_at < HANDOVER_SECONDS:
                return
            self._handed_over_at = now
        raise LeaseHeld(f"pipeline {pipeline.name!r} is handed over to a process that follows fewer")

    def withdraw(self, pipeline: Pipeline) -> None:
        """Take back that this process waits: it does not any more. Never raises; what is not repeated is forgotten."""
        with suppress(SyncerError):
            self._ask(pipeline, None)

    def _ask(self, pipeline: Pipeline, held: int | None) -> None:
        """Say that this process waits and how many it follows, or take back what it said."""
        if held is not None:
            self._asked.add(pipeline.name)
        elif pipeline.name in self._asked:
            self._asked.remove(pipeline.name)
        else:
            return
        pipeline.store.ask(pipeline.name, held)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1
