"""Which index is searched: one of another model, one behind a moved alias, one that is away."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.change import Document, Draft
from syncer.core.error import FatalError, FingerprintMismatch, SinkUnavailable
from syncer.core.index import write_alias
from syncer.core.search.request import Mode, Request
from tests.adapters.elastic.search.conftest import Open
from tests.adapters.elastic.search.library import FIELDS, VECTORS, filled
from tests.conftest import Elastic
from tests.services.proxy import ProxyFactory


@pytest.mark.parametrize("mode", [Mode.VECTOR, Mode.HYBRID])
def test_vectors_of_another_model_are_not_searched(
    open_searcher: Open, elastic: Elastic, index_prefix: str, mode: Mode
) -> None:
    """Words are; so are the vectors of the model that is configured."""
    searched = filled(elastic, index_prefix, embedding="minilm")
    assert open_searcher(searched).search(Request("river", mode)).total == 7
    for configured in ("e5", "none"):
        other = open_searcher(replace(searched, embedding=configured))
        for _ in range(2):
            with pytest.raises(FingerprintMismatch, match=f"{index_prefix}-1 was not built with the model") as refused:
                other.search(Request("river", mode))
        assert "syncer rebuild" in refused.value.hint
        assert other.search(Request("river", Mode.KEYWORD)).total == 1


def test_vectors_of_another_length_are_told_to_be_of_another_model(
    open_searcher: Open, elastic: Elastic, index_prefix: str
) -> None:
    """Also where the alias was moved after the last search: to an index of whose vectors ours cannot be one."""
    searched = filled(elastic, index_prefix, embedding="minilm")
    searcher = open_searcher(searched)
    assert searcher.search(Request("x", Mode.VECTOR)).total == 7
    move(elastic, index_prefix, dims=3, embedding="e5")
    with pytest.raises(FingerprintMismatch, match=f"{index_prefix}-2"):
        searcher.search(Request("x", Mode.VECTOR))


def test_an_index_behind_a_moved_alias_is_looked_at(open_searcher: Open, elastic: Elastic, index_prefix: str) -> None:
    """Under a searcher that has found the last one to be right; and found right again, once it is."""
    searched = filled(elastic, index_prefix, embedding="minilm")
    searcher = open_searcher(searched)
    assert searcher.search(Request("x", Mode.VECTOR)).total == 7
    indices = move(elastic, index_prefix, dims=2, embedding="e5")
    for mode in (Mode.VECTOR, Mode.HYBRID):
        with pytest.raises(FingerprintMismatch, match=f"{index_prefix}-2"):
            searcher.search(Request("x", mode))
    indices.publish(f"{index_prefix}-1", searched.alias)
    assert searcher.search(Request("x", Mode.VECTOR)).total == 7


def move(elastic: Elastic, prefix: str, *, dims: int, embedding: str) -> ElasticIndices:
    """Point the alias to an index with other vectors."""
    vectors = [replace(VECTORS[0], dims=dims)]
    indices = ElasticIndices(elastic.client, mapping(FIELDS, vectors), IndexSettings(replicas=0))
    indices.create(f"{prefix}-2", {"pipeline": "p", "fingerprint": {"embedding": embedding}})
    vector = struct.pack(f"<{dims}f", *([1.0] * dims))
    written = Document(Draft(("new",), json.dumps({"title": "x"}), 1, {}), {"embedding": vector}, 1)
    ElasticSink(elastic.client, write_alias(f"{prefix}-2")).write([written])
    indices.publish(f"{prefix}-2", f"{prefix}-all")
    return indices


def test_a_server_that_is_away_is_told(
    open_searcher: Open, elastic: Elastic, index_prefix: str, proxy: ProxyFactory
) -> None:
    """As what passes by itself; and it does."""
    through = proxy(elastic.url)
    searcher = open_searcher(filled(elastic, index_prefix), url=f"http://127.0.0.1:{through.port}")
    assert searcher.search(Request("river")).total > 0
    through.stop()
    with pytest.raises(SinkUnavailable, match="elasticsearch"):
        searcher.search(Request("river"))
    through.start()
    assert searcher.search(Request("river")).total > 0


@pytest.mark.usefixtures("real_elastic")
def test_a_closed_index_is_nothing_of_the_request(open_searcher: Open, elastic: Elastic, index_prefix: str) -> None:
    """Whoever asked cannot mend it."""
    searched = filled(elastic, index_prefix)
    elastic.client.indices.close(index=f"{index_prefix}-1")
    for request in (Request(""), Request("", paged=True), Request("river", Mode.HYBRID)):
        with pytest.raises(FatalError, match="is closed"):
            open_searcher(searched).search(request)
