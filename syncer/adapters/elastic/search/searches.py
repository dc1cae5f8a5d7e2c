"""All that can be asked of a pipeline's index, as conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from syncer.adapters.elastic.search.answer import hits_of, ranked, total_of
from syncer.adapters.elastic.search.body import COUNTED_MAX, matching, source
from syncer.adapters.elastic.search.completions import completion_bodies, completions
from syncer.adapters.elastic.search.conditions import filters, part_of
from syncer.adapters.elastic.search.conversation import Conversation, Refused, invalid
from syncer.adapters.elastic.search.cursor import Cursors
from syncer.adapters.elastic.search.meaning import MeaningSearch
from syncer.adapters.elastic.search.searched import Searched, ask
from syncer.adapters.elastic.search.similar import like_words, vectors_of, vectors_shown
from syncer.adapters.elastic.search.words import WordSearch
from syncer.core.error import RequestInvalid
from syncer.core.search.condition import Condition
from syncer.core.search.facet import Facet
from syncer.core.search.limit import FUSED_MAX, ID_MAX, prove_bounds
from syncer.core.search.request import Mode, Request
from syncer.core.search.result import Completion, Result

_Result = TypeVar("_Result")


class Searches:
    """Conversations about the documents of one pipeline. Safe for several threads."""

    def __init__(self, searched: Searched, cursors: Cursors, *, embeds: bool) -> None:
        """embeds: whether there is a model for queries."""
        self._alias = searched.alias
        self._declared = searched.declared
        self._embeds = embeds and bool(searched.vectors)
        self._words = WordSearch(searched.alias, self._declared, cursors)
        self._meaning = MeaningSearch(searched, self._declared)

    def search(self, request: Request) -> Conversation[Result]:
        """Return a page of the best documents; see `ports.Searcher`."""
        routing = None if request.routing is None else _whole(request.routing)
        whole = replace(request, text=_whole(request.text), routing=routing)
        return _telling(self._search(whole), request.conditions, request.facets)

    def suggest(
        self, text: str, field: str | None, size: int, conditions: Sequence[Condition]
    ) -> Conversation[Sequence[Completion]]:
        """Return documents that go on as a text begins; see `ports.Searcher`."""
        return _telling(self._suggest(_whole(text), field, size, conditions), conditions)

    def similar(self, id: str, size: int, conditions: Sequence[Condition]) -> Conversation[Result | None]:
        """Return what is nearest to a document; see `ports.Searcher`."""
        return _telling(self._similar(id, size, conditions), conditions)

    def document(self, id: str, conditions: Sequence[Condition]) -> Conversation[Mapping[str, Any] | None]:
        """Return a document by its `_id`; see `ports.Searcher`."""
        return _telling(self._document(id, conditions), conditions)

    def _search(self, request: Request) -> Conversation[Result]:
        prove_bounds(request)
        mode = self._mode(request)
        if mode is Mode.KEYWORD:
            return (yield from self._words.search(request))
        return (yield from self._meaning.search(request, mode))

    def _suggest(
        self, text: str, field: str | None, size: int, conditions: Sequence[Condition]
    ) -> Conversation[Sequence[Completion]]:
        bodies = completion_bodies(text, field, size, conditions, self._declared)
        answers = (yield from ask(self._alias, bodies)) if bodies else {}
        return completions(text, size, answers)

    def _similar(self, id: str, size: int, conditions: Sequence[Condition]) -> Conversation[Result | None]:
        if not 1 <= size <= FUSED_MAX:
            raise RequestInvalid("size", f"is {size:,}, and must be from 1 to {FUSED_MAX:,}")
        hit = yield from self._get(id, conditions, vectors_shown(self._declared))
        if hit is None:
            return None
        vectors = vectors_of(hit, self._declared)
        if vectors:
            return (yield from self._meaning.similar(vectors, id, size, conditions))
        if not self._declared.texts:
            return Result(Mode.KEYWORD, (), 0, exact=True)
        body = {
            "query": matching(like_words(hit, self._declared), filters(conditions, self._declared)),
            "size": size,
            "track_total_hits": COUNTED_MAX,
            "_source": source(None, self._declared),
        }
        answer = (yield from ask(self._alias, {"": body}))[""]
        total, exact = total_of(answer)
        return Result(Mode.KEYWORD, ranked(answer, Mode.KEYWORD.value, 0), total, exact)

    def _document(self, id: str, conditions: Sequence[Condition]) -> Conversation[Mapping[str, Any] | None]:
        found = yield from self._get(id, conditions, {"_source": source(None, self._declared)})
        return None if found is None else found["_source"]

    def _get(
        self, id: str, conditions: Sequence[Condition], shown: Mapping[str, Any]
    ) -> Conversation[Mapping[str, Any] | None]:
        """Return the hit of a document; by a search, which finds it on whichever shard it is."""
        within = filters(conditions, self._declared)
        if not 0 < len(id.encode("utf-8", "replace")) <= ID_MAX:
            return None
        body = {"query": matching(None, [{"ids": {"values": [id]}}, *within]), "size": 1, **shown}
        answers = yield from ask(self._alias, {"": body})
        return next(iter(hits_of(answers[""])), None)

    def _mode(self, request: Request) -> Mode:
        """Return how to search: what only searches by words can do is a reason for them."""
        if not request.text.strip():
            return Mode.KEYWORD
        ordered = request.sort or request.paged or request.cursor is not None
        fused = Mode.HYBRID if self._declared.texts else Mode.VECTOR
        mode = request.mode or (fused if self._embeds and not ordered else Mode.KEYWORD)
        if mode is not Mode.KEYWORD and not self._embeds:
            raise RequestInvalid(
                "mode",
                "the pipeline has no embedding, so that only its words can be searched",
                hint="search with mode keyword, or configure embedding",
            )
        return mode


def _whole(text: str) -> str:
    """Return a text without half characters, with which Elasticsearch finds nothing."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _telling(
    conversation: Conversation[_Result], conditions: Sequence[Condition], facets: Mapping[str, Facet] | None = None
) -> Conversation[_Result]:
    """Hold a conversation, and tell whoever asked what of his request Elasticsearch does not take."""
    try:
        return (yield from conversation)
    except Refused as refusal:
        raise invalid(refusal, part_of(refusal.message, conditions, facets or {})) from refusal
