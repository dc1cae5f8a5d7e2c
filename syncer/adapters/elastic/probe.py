"""Queries by which others measure how long queries take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from elasticsearch import Elasticsearch

from syncer.adapters.elastic.error import translate_errors

#: What people search for has letters.
_WORD = re.compile(r"[^\W\d_]{4,30}")
_WORDS_KEPT = 20
#: Documents whose words are searched for.
_READ = 3


class ElasticProbe:
    """Searches an alias as people do: for a word of its documents, ten of them a page. For one thread."""

    def __init__(self, client: Elasticsearch, seconds: float) -> None:
        """seconds: that a query may take."""
        self._client = client.options(request_timeout=seconds, max_retries=0)
        #: By alias, those of the documents that were read last.
        self._words: dict[str, list[str]] = {}

    def search(self, alias: str) -> None:
        """Send a query. Raises SyncerError: SinkUnavailable where it takes too long, or there is no such index."""
        words = self._words.setdefault(alias, [])
        if words:
            query: Mapping[str, Any] = {"simple_query_string": {"query": words.pop(), "lenient": True}}
            # The documents themselves may be large, and are not what makes a query slow.
            self._ask(alias, query, size=10, source=False)
        else:
            hits = self._ask(alias, {"match_all": {}}, size=_READ, source=True)
            words += islice(_words(hits), _WORDS_KEPT)

    def _ask(self, alias: str, query: Mapping[str, Any], *, size: int, source: bool) -> Any:
        with translate_errors():
            answer = self._client.search(index=alias, query=query, size=size, source=source, request_cache=False)
        return answer.body["hits"]["hits"]


def _words(hits: Any) -> Iterator[str]:
    """Yield a word of each text in the documents."""
    for hit in hits:
        for value in hit.get("_source", {}).values():
            if isinstance(value, str) and (found := _WORD.search(value)):
                yield found[0]
