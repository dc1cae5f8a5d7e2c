"""Queries that measure how long queries take."""

from __future__ import annotations

import pytest

from syncer.adapters.clock import SystemClock
from syncer.adapters.elastic.probe import ElasticProbe
from syncer.core.error import IndexMissing
from tests.conftest import Elastic


def test_it_searches_for_words_of_the_documents(elastic: Elastic, index_prefix: str) -> None:
    """The first time for all of them, for it knows no word yet; and whatever the fields are."""
    fields = {"title": {"type": "text"}, "price": {"type": "integer"}, "at": {"type": "date"}}
    elastic.client.indices.create(index=index_prefix, mappings={"properties": fields})
    document = {"title": "Crime and Punishment", "price": 7, "at": "2026-01-01"}
    elastic.client.index(index=index_prefix, id="1", document=document, refresh=True)
    probe = ElasticProbe(elastic.client, SystemClock())
    assert all(0 < probe.seconds(index_prefix) < 30 for _ in range(5))


def test_a_missing_index_is_told(elastic: Elastic, index_prefix: str) -> None:
    """Nothing was measured."""
    with pytest.raises(IndexMissing):
        ElasticProbe(elastic.client, SystemClock()).seconds(f"{index_prefix}-missing")
