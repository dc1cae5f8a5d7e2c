"""Queries that measure how long queries take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from elasticsearch import Elasticsearch

from syncer.adapters.elastic.error import translate_errors
from syncer.ports import Clock

#: What people search for has letters.
_WORD = re.compile(r"[^\W\d_]{4,30}")
_WORDS_KEPT = 20


class ElasticProbe:
    """Searches an alias as people do: for a word of its documents, ten of them a page. For one thread."""

    def __init__(self, client: Elasticsearch, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        #: By alias, those of the documents that were found last.
        self._words: dict[str, list[str]] = {}

    def seconds(self, alias: str) -> float:
        """Return how long a query took, seen from here. Raises SyncerError, as where there is no such index."""
        words = self._words.setdefault(alias, [])
        query: Mapping[str, Any] = {"match_all": {}}
        if words:
            query = {"simple_query_string": {"query": words.pop(), "lenient": True}}
        with translate_errors():
            started = self._clock.monotonic()
            hits = self._client.search(index=alias, query=query, size=10, request_cache=False).body["hits"]["hits"]
            took = self._clock.monotonic() - started
        if len(words) < _WORDS_KEPT:
            words += islice(_words(hits), _WORDS_KEPT)
        return took


def _words(hits: Any) -> Iterator[str]:
    """Yield a word of each text in the documents."""
    for hit in hits:
        for value in hit.get("_source", {}).values():
            if isinstance(value, str) and (found := _WORD.search(value)):
                yield found[0]
