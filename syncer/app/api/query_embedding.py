"""The vectors of queries, made off the event loop: what waits while one pass runs goes into the next one together."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from syncer.core.error import EmbedderUnavailable, RequestInvalid
from syncer.core.outcome import Rejected

EmbedQueries = Callable[[Sequence[str]], Sequence[bytes | Rejected]]

#: Vectors that are remembered: of 384 dimensions 6 MB.
_CACHED = 4096
#: Texts in one pass. More are not faster each (3.3 ms on two cores, of 15 ms for one alone), and keep others waiting.
_PASS = 16
#: Texts that may wait. With more, the last one would wait for seconds.
_WAITING = 256


class QueryEmbedding:
    """Embeds the texts of searches, for one event loop, on one thread. Who asks what is asked already waits with it."""

    def __init__(self, embed: EmbedQueries, *, cached: int = _CACHED, waiting: int = _WAITING) -> None:
        """embed: is called on a thread of its own, by one at a time."""
        self._embed = embed
        self._cached = cached
        self._waiting_max = waiting
        self._vectors: OrderedDict[str, bytes] = OrderedDict()
        #: By text, in the order they came.
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._under_way: dict[str, asyncio.Future[bytes]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="query")
        self._passes: asyncio.Task[None] | None = None
        self._closed = False

    async def embed(self, text: str) -> bytes:
        """Return the vector to search with.

        Raises RequestInvalid where none can be made of it, EmbedderUnavailable, also where too many wait, and at the
        end.
        """
        if text in self._vectors:
            self._vectors.move_to_end(text)
            return self._vectors[text]
        future = self._waiting.get(text) or self._under_way.get(text)
        if future is None:
            if self._closed:
                raise _ended()
            if len(self._waiting) >= self._waiting_max:
                raise EmbedderUnavailable("too many queries wait to be embedded", retry_after=1.0)
            future = self._waiting[text] = asyncio.get_running_loop().create_future()
            # Else it would complain where all who asked have given up.
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            if self._passes is None:
                self._passes = asyncio.create_task(self._work())
        # Others may wait for it when this one gives up.
        return await asyncio.shield(future)

    def close(self) -> None:
        """Take no more, and tell those who wait; do not wait for a pass that is under way."""
        self._closed = True
        if self._passes is not None:
            self._passes.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        """Embed until nothing waits."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                texts = list(self._waiting)[:_PASS]
                self._under_way = {text: self._waiting.pop(text) for text in texts}
                try:
                    self._settle(texts, await loop.run_in_executor(self._thread, self._embed, texts))
                except Exception as error:  # whoever asked is to hear of it
                    self._fail(error)
                self._under_way = {}
        finally:
            self._passes = None
            self._under_way |= self._waiting
            self._waiting = {}
            # Not cancelled: who waits would take that for his own end, and answer nobody.
            self._fail(_ended())

    def _fail(self, error: Exception) -> None:
        for future in self._under_way.values():
            if not future.done():
                future.set_exception(error)

    def _settle(self, texts: Sequence[str], results: Sequence[bytes | Rejected]) -> None:
        for text, result in zip(texts, results, strict=True):
            future = self._under_way[text]
            if isinstance(result, Rejected):
                future.set_exception(
                    RequestInvalid("text", f"cannot be searched by meaning: {result.reason}", hint="use mode keyword")
                )
                continue
            self._vectors[text] = result
            if len(self._vectors) > self._cached:
                self._vectors.popitem(last=False)
            future.set_result(result)


def _ended() -> EmbedderUnavailable:
    return EmbedderUnavailable("no more queries are embedded, for the process ends", retry_after=1.0)
