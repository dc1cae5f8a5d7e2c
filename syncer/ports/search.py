"""Searching what an alias points to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from syncer.core.search.condition import Condition
from syncer.core.search.request import Request
from syncer.core.search.result import Completion, Result


class Searcher(Protocol):
    """Searches the documents of one pipeline. Safe for several threads.

    All methods raise RequestInvalid where a request cannot be meant, naming what of it; IndexMissing;
    FingerprintMismatch where vectors are needed and the index has those of another model; SinkUnavailable,
    EmbedderUnavailable.
    """

    def search(self, request: Request) -> Result:
        """Return a page of the best documents."""

    def suggest(
        self, text: str, *, field: str | None = None, size: int = 8, conditions: Sequence[Condition] = ()
    ) -> Sequence[Completion]:
        """Return documents that go on as `text` begins, best first, of each text one; without a field: of all with
        `autocomplete`."""

    def similar(self, id: str, *, size: int = 10, conditions: Sequence[Condition] = ()) -> Result | None:
        """Return what is nearest to a document, without itself: by its vectors, else by its words. None: it is not
        there, or does not meet the conditions."""

    def document(self, id: str, *, conditions: Sequence[Condition] = ()) -> Mapping[str, Any] | None:
        """Return a document by its `_id`, without vectors; None: it is not there, or does not meet the conditions."""


class AsyncSearcher(Protocol):
    """The same for an event loop, which it never blocks."""

    async def search(self, request: Request) -> Result:
        """As `Searcher.search`."""

    async def suggest(
        self, text: str, *, field: str | None = None, size: int = 8, conditions: Sequence[Condition] = ()
    ) -> Sequence[Completion]:
        """As `Searcher.suggest`."""

    async def similar(self, id: str, *, size: int = 10, conditions: Sequence[Condition] = ()) -> Result | None:
        """As `Searcher.similar`."""

    async def document(self, id: str, *, conditions: Sequence[Condition] = ()) -> Mapping[str, Any] | None:
        """As `Searcher.document`."""
