"""Searches through the alias all the time, as an application does that knows nothing of what goes on behind it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from elastic_transport import ApiError, TransportError

from tests.chaos.change import STILL
from tests.chaos.world import World

#: Of all that goes wrong, what is told.
TOLD = 10
#: Between two searches: they must not take all that the machine has.
PAUSE_SECONDS = 0.02


class Searcher(threading.Thread):
    """Searches until it is closed, one search after the other; what is wrong with one is kept in `wrong`."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True, name="searcher")
        self._world = world
        self._alias = world.installation.alias
        # A failure that is tried again would pass for a success.
        self._client = world.elastic.client.options(max_retries=0, retry_on_timeout=False, request_timeout=10)
        self._closing = threading.Event()
        #: Odd while the server is away.
        self._tide = 0
        self.searches = 0
        self.forgiven = 0
        self.wrong: list[str] = []
        #: By index, how many searches found it.
        self.found: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.join()

    @contextmanager
    def forgiving(self) -> Iterator[None]:
        """Let searches fail meanwhile: the server is away."""
        self._tide += 1
        try:
            yield
        finally:
            self._tide += 1

    def run(self) -> None:
        while not self._closing.is_set() and len(self.wrong) < TOLD:
            tide = self._tide
            try:
                wrong = self._search()
            except (ApiError, TransportError) as error:
                if tide % 2 or tide != self._tide:
                    self.forgiven += 1
                    self._closing.wait(0.05)
                    continue
                wrong = repr(error)
            self.searches += 1
            if wrong:
                self._world.note(f"search: {wrong}")
                self.wrong.append(f"{self._world.journal.seconds:.3f}: {wrong}")
            self._closing.wait(PAUSE_SECONDS)

    def _search(self) -> str:
        """Search for the rows that nobody touches; return what is wrong with what was found."""
        answer = self._client.search(
            index=self._alias,
            query={"range": {"id": {"lt": 0}}},
            size=3 * STILL,
            source=False,
            allow_partial_search_results=False,
        )
        hits = answer["hits"]["hits"]
        indices = {str(hit["_index"]) for hit in hits}
        self.found.update(indices)
        aliased = self._client.indices.get_alias(name=self._alias).body
        if not aliased:
            raise TransportError("an empty answer")  # of an embedded engine that is ending
        behind = sorted(aliased)
        if len(hits) != STILL or len({hit["_id"] for hit in hits}) != STILL:
            return f"{len(hits)} of {STILL} rows in {sorted(indices)}"
        if len(indices) != 1 or len(behind) != 1:
            return f"found in {sorted(indices)}, the alias leads to {behind}"
        return ""
