"""Queries that measure how long queries take."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.probe import ElasticProbe
from syncer.core.error import IndexMissing, SinkUnavailable
from tests.adapters.elastic.scripted import ELASTICSEARCH, Answer, Request, scripted
from tests.conftest import Elastic


def test_it_searches_for_words_of_the_documents() -> None:
    """The first time for some documents, for it knows no word yet; whatever their fields are."""
    asked: list[dict[str, Any]] = []
    document = {"title": "Crime and Punishment", "price": 7, "code": "x1", "author": "Fyodor"}

    def answer(request: Request) -> Answer:
        asked.append(json.loads(request.body) | {"of": parse_qs(urlsplit(request.path).query)})
        return Answer(200, {"hits": {"hits": [{"_id": "1", "_source": document}]}}, ELASTICSEARCH)

    with scripted(answer) as url:
        probe = ElasticProbe(Elasticsearch(url), 5.0)
        for _ in range(4):
            probe.search("articles")
    words = [each["query"].get("simple_query_string", {}).get("query") for each in asked]
    assert words == [None, "Fyodor", "Crime", None]
    # What is measured does not depend on how large the documents are.
    assert [each.get("_source") for each in asked] == [True, False, False, True]


def test_a_server_takes_its_queries(elastic: Elastic, index_prefix: str) -> None:
    """Also where the words are looked for in fields that hold none."""
    fields = {"title": {"type": "text"}, "price": {"type": "integer"}, "at": {"type": "date"}}
    elastic.client.indices.create(index=index_prefix, mappings={"properties": fields})
    document = {"title": "Crime and Punishment", "price": 7, "at": "2026-01-01"}
    elastic.client.index(index=index_prefix, id="1", document=document, refresh=True)
    probe = ElasticProbe(elastic.client, 30.0)
    for _ in range(3):
        probe.search(index_prefix)
    with pytest.raises(IndexMissing):
        probe.search(f"{index_prefix}-missing")


def test_a_query_that_takes_too_long_is_given_up_and_not_sent_again() -> None:
    """Others are still to be looked at."""
    asked: list[str] = []

    def answer(request: Request) -> Answer:
        asked.append(request.path)
        return Answer(None)

    with scripted(answer) as url, pytest.raises(SinkUnavailable):
        ElasticProbe(Elasticsearch(url), 1.0).search("articles")
    assert len(asked) == 1
