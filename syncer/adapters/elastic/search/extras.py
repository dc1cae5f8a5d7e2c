"""What a search is asked besides its documents: facets, and another spelling. All of it goes along in one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from syncer.adapters.elastic.search.answer import Answer
from syncer.adapters.elastic.search.body import matching, words_query
from syncer.adapters.elastic.search.conditions import filters
from syncer.adapters.elastic.search.conversation import Conversation
from syncer.adapters.elastic.search.declared import Declared
from syncer.adapters.elastic.search.facets import buckets, groups
from syncer.adapters.elastic.search.spelling import spelling, spelling_body
from syncer.core.search.facet import Bucket
from syncer.core.search.limit import INEXACT_MAX
from syncer.core.search.request import Mode, Request

_SPELLING = "spelling"

#: Of filters, the parts of a body that look for what is nearest.
Nearest = Callable[[Sequence[Any]], Sequence[Mapping[str, Any]]]


class Extras:
    """The searches that go along with one, and their answers."""

    def __init__(self, request: Request, declared: Declared, mode: Mode = Mode.KEYWORD, nearest: Nearest | None = None):
        """nearest: of searches by meaning, whose facets count what is nearest, beside what has the words."""
        self._request = request
        self._declared = declared
        self._groups = groups(request.facets, request.conditions, declared)
        text = request.text.strip()
        self.bodies: dict[str, Mapping[str, Any]] = {}
        for number, group in enumerate(self._groups):
            within = filters(group.conditions, declared)
            body: dict[str, Any] = {"size": 0, "track_total_hits": False, "aggs": group.aggregations}
            if mode is not Mode.VECTOR:
                body["query"] = matching(words_query(text, request.words, declared) if text else None, within)
            if nearest is not None:
                body["knn"] = nearest(within)
            self.bodies[f"facets{number}"] = body
        if request.did_you_mean and 0 < len(text) <= INEXACT_MAX and declared.texts:
            self.bodies[_SPELLING] = spelling_body(text, declared)

    def facets(self, answers: Mapping[str, Answer]) -> Mapping[str, Sequence[Bucket]]:
        """Return the counts."""
        counted = {
            name: aggregation
            for number in range(len(self._groups))
            for name, aggregation in answers[f"facets{number}"]["aggregations"].items()
        }
        return buckets(self._request.facets, counted, self._declared)

    def did_you_mean(self, alias: str, answers: Mapping[str, Answer]) -> Conversation[str | None]:
        """Return another spelling of the text, if one was asked for and there is one."""
        if _SPELLING not in answers:
            return None
        return (yield from spelling(alias, answers[_SPELLING], self._request.text, self._declared))
