"""Pages read ahead on a thread of their own, so that two servers work at once and a stop need not wait for either."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

from syncer.engine.insist import Stopped

_PAGES = 2
#: Between two looks at whether to stop.
_TICK_SECONDS = 0.1
#: How long a thread may take to hear that it is not needed any more.
_END_SECONDS = 3.0

T = TypeVar("T")


class _End:
    pass


class ReadAhead(Generic[T]):
    """Reads pages as soon as it is made, a few ahead of who takes them."""

    def __init__(
        self,
        pages: Callable[[], Iterator[Sequence[T]]],
        stopping: Callable[[], bool],
        cancel: Callable[[], None] = lambda: None,
    ) -> None:
        """cancel: makes a page that is being read fail; called from another thread."""
        self._pages = pages
        self._stopping = stopping
        self._cancel = cancel
        self._closed = Event()
        self._queue: Queue[Sequence[T] | Exception | _End] = Queue(_PAGES)
        # A daemon: where a server hangs, the process ends without it. It only reads.
        self._thread = Thread(target=self._read, daemon=True, name="read ahead")
        self._thread.start()

    def __iter__(self) -> Iterator[Sequence[T]]:
        """Yield the pages; raises what reading them raised, and Stopped."""
        while True:
            if self._stopping():
                raise Stopped
            try:
                found = self._queue.get(timeout=_TICK_SECONDS)
            except Empty:
                continue
            match found:
                case _End():
                    return
                case Exception():
                    raise found
                case page:
                    yield page

    def close(self) -> None:
        """Interrupt the reading where it is not at its end."""
        self._closed.set()
        for _ in range(round(_END_SECONDS / _TICK_SECONDS)):
            self._thread.join(_TICK_SECONDS)
            if not self._thread.is_alive():
                return
            # Again and again: the page may have begun just after the last time.
            self._cancel()

    def _read(self) -> None:
        try:
            for page in self._pages():
                if not self._put(page):
                    return
            self._put(_End())
        except Exception as error:  # raised again where the pages are taken
            self._put(error)

    def _put(self, found: Sequence[T] | Exception | _End) -> bool:
        while not self._closed.is_set():
            try:
                self._queue.put(found, timeout=_TICK_SECONDS)
            except Full:
                continue
            return True
        return False
