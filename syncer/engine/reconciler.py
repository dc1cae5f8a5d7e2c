"""Compares an index with its table after it was truncated, beside the polls."""

from __future__ import annotations

from threading import Event, Thread

from syncer.core.error import SyncerError
from syncer.engine.events import Events
from syncer.engine.pipeline import Pipeline
from syncer.engine.verify import reconcile

#: How long its end is waited for.
END_SECONDS = 2.0


class Reconciler:
    """One comparison at a time, on a thread of its own: polls must not wait for the reading of a whole index.

    What asks for it is in the state, so that one which does not come to its end is begun again by somebody.
    """

    def __init__(self, pipeline: Pipeline, events: Events) -> None:
        self._pipeline = pipeline
        self._events = events
        self._closed = Event()
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Begin, where it is asked for and none is under way."""
        if self._thread is not None and self._thread.is_alive():
            return
        record = self._pipeline.store.index(self._pipeline.name)
        if record is None or record.reconcile is None:
            return
        # A daemon: what still hangs in a call must not keep the process.
        self._thread = Thread(target=self._run, name="reconcile", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask for its end, and wait for it a while. Never raises."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        try:
            reconcile_truncated(self._pipeline, self._events, self._closed)
        except SyncerError as error:
            self._events.reconciling_failed(error)
        except RuntimeError:
            # The threads that write are gone at the end of the process.
            if not self._closed.is_set():
                raise


def reconcile_truncated(pipeline: Pipeline, events: Events, closed: Event | None = None) -> None:
    """Make the index equal to its truncated table, and forget that this was asked for; nothing, where it was not.

    Once more, where the table is truncated again meanwhile.
    """

    def stopping() -> bool:
        return pipeline.clock.stopping() or (closed is not None and closed.is_set())

    while (record := pipeline.store.index(pipeline.name)) is not None and record.reconcile is not None:
        verified = reconcile(pipeline, record, stopping=stopping)
        if not verified.complete:
            return
        pipeline.store.reconciled(record)
        events.reconciled(verified)
