"""What goes on beside the polls."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from syncer.core.error import SyncerError

#: How long its end is waited for.
END_SECONDS = 2.0

#: Works until it is done, or what it was given tells it to stop.
Work = Callable[[Callable[[], bool]], None]


class Beside:
    """One piece of work at a time, on a thread of its own: polls must not wait for the reading of a whole table.

    What asks for the work is in the state, so that what does not come to its end is begun again by somebody.
    """

    def __init__(self, name: str, stopping: Callable[[], bool], work: Work, on_error: Callable[[SyncerError], None]):
        self._name = name
        self._stopping = stopping
        self._work = work
        self._on_error = on_error
        self._closed = Event()
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Begin, where it is not under way."""
        if self._thread is not None and self._thread.is_alive():
            return
        # A daemon: what still hangs in a call must not keep the process.
        self._thread = Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask for its end, and wait for it a while. Never raises."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        try:
            self._work(lambda: self._closed.is_set() or self._stopping())
        except SyncerError as error:
            self._on_error(error)
        except RuntimeError:
            # The threads that write are gone at the end of the process.
            if not self._closed.is_set():
                raise
