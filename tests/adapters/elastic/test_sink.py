"""Writes to an index: what is sent, what is stored, and what is refused."""

from __future__ import annotations

import json
import struct
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from syncer.adapters.elastic.action import Actions
from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.change import Removal
from syncer.core.error import FatalError, IndexMissing
from syncer.core.field import Field, VectorField
from syncer.core.held import Held
from syncer.core.index import write_alias
from syncer.core.outcome import Applied, Deferred, Outcome, Rejected, Stale
from tests.adapters.elastic.examples import a_document
from tests.conftest import Elastic

FIELDS = [Field("title", "title", "text"), Field("n", "n", "long"), Field("extra", "extra", "object")]
JSON = {"accept": "application/json"}
VECTORS = [VectorField("v", "{title}", 3)]


@pytest.fixture
def index(elastic: Elastic, index_prefix: str) -> str:
    name = f"{index_prefix}-1"
    ElasticIndices(elastic.client, mapping(FIELDS, VECTORS), IndexSettings()).create(name, {})
    return name


@pytest.fixture
def sink(elastic: Elastic, index: str) -> ElasticSink:
    return ElasticSink(elastic.client, write_alias(index))


def read(elastic: Elastic, index: str, key: str) -> dict[str, Any]:
    return dict(elastic.client.get(index=index, id=key).body)


def test_a_document_is_stored_as_postgres_wrote_it(elastic: Elastic, index: str, sink: ElasticSink) -> None:
    """Digit by digit, with its key, hash and number; an empty one too."""
    body = '{"title": "Zoë says \\"hi\\"", "extra": {"d": 12345678901234567890.10}}'
    assert sink.write([a_document("a|b", body), a_document('"\\ü', "{}")]) == [Applied(created=True)] * 2
    found = read(elastic, index, "a|b")
    assert found["_version"] == 100
    assert found["_source"] == {**json.loads(body), "_syncer": {"key": "a|b", "hash": -7}}
    assert read(elastic, index, '"\\ü')["_source"] == {"_syncer": {"key": '"\\ü', "hash": -7}}


def test_what_is_there_is_told_by_version_and_hash(elastic: Elastic, index: str, sink: ElasticSink) -> None:
    """Searchable or not; nothing of what is gone, or was written by somebody else."""
    sink.write([a_document(key) for key in ("a", "b|c", "gone")])
    sink.write([Removal(("gone",), 101)])
    elastic.client.index(index=index, id="stranger", document={"title": "no hash"})
    elastic.client.index(index=index, id="list", document={"_syncer": [{"key": "list", "hash": 1}]})
    drafts = [a_document(key).draft for key in ("b|c", "gone", "never", "stranger", "list", "a")]
    assert sink.held(drafts) == {drafts[0].key: Held(100, -7), ("a",): Held(100, -7)}


def test_a_document_is_sent_as_it_is() -> None:
    """Not parsed and printed anew: digits that no float holds stay, and every float32 of a vector is named exactly."""
    vector = [0.1, -1 / 3, 1.17549e-38]
    sent = Actions("w").of(a_document("1", '{"d": 12345678901234567890.10}', vector=vector)).body
    assert sent is not None
    assert b'{"d": 12345678901234567890.10,' in sent
    assert struct.pack("<3f", *json.loads(sent)["v"]) == struct.pack("<3f", *vector)


def test_a_vector_that_is_packed_is_the_same() -> None:
    """Base64 of its numbers, big-endian, as Elasticsearch reads it from 9.3 on."""
    vector = [0.1, -1 / 3, 1.17549e-38]
    sent = Actions("w").of(a_document("1", vector=vector), packed=True).body
    assert sent is not None
    assert b64decode(json.loads(sent)["v"]) == struct.pack(">3f", *vector)


def test_a_vector_stays_an_array_where_the_document_keeps_it(elastic: Elastic, index_prefix: str) -> None:
    """Readers of the document find numbers, whatever the server would take."""
    name = f"{index_prefix}-1"
    kept = IndexSettings(settings={"mapping.exclude_source_vectors": False} if elastic.real else {})
    ElasticIndices(elastic.client, mapping(FIELDS, VECTORS), kept).create(name, {})
    vector = [0.1, -1 / 3, 0.5]
    assert ElasticSink(elastic.client, write_alias(name)).write([a_document("1", vector=vector)]) == [Applied(True)]
    assert read(elastic, name, "1")["_source"]["v"] == pytest.approx(vector, rel=1e-6)


def test_a_vector_is_stored(elastic: Elastic, index: str, sink: ElasticSink) -> None:
    """Beside other fields and alone. (Servers from 9.2 on give back the vector to within rounding.)"""
    vector = [0.1, -1 / 3, 0.5]
    sink.write([a_document("1", '{"title": "x"}', vector=vector), a_document("2", "{}", vector=vector)])
    for key in "12":
        asked = {"_source_exclude_vectors": "false"} if elastic.real else {}
        found = elastic.client.perform_request("GET", f"/{index}/_doc/{key}", params=asked, headers=JSON).body
        assert found["_source"]["v"] == pytest.approx(vector, rel=1e-6)


def test_an_older_number_never_wins(elastic: Elastic, index: str, sink: ElasticSink) -> None:
    """It is stale, with the number that is there; the same number and a higher one are applied."""
    sink.write([a_document("1", '{"n": 1}', version=100)])
    assert sink.write([a_document("1", '{"n": 0}', version=99)]) == [Stale(100)]
    assert sink.write([Removal(("1",), 99)]) == [Stale(100)]
    assert sink.write([a_document("1", '{"n": 2}', version=100)]) == [Applied()]
    assert sink.write([a_document("1", '{"n": 3}', version=101)]) == [Applied()]
    assert read(elastic, index, "1")["_source"]["n"] == 3


def test_a_removal_of_nothing_is_applied(real_elastic: Elastic, sink: ElasticSink) -> None:
    """And its number counts: an older document does not come back."""
    sink.write([a_document("1")])
    assert sink.write([Removal(("1",), 200), Removal(("none",), 200)]) == [Applied(), Applied()]
    assert sink.write([a_document("1", version=150), a_document("none", version=150)]) == [Stale(200), Stale(200)]


def test_one_bad_row_among_a_thousand_is_rejected_alone(elastic: Elastic, index: str, sink: ElasticSink) -> None:
    """999 are applied, and the outcome of the bad one, in its place, says why."""
    writes = [a_document(str(i), '{"n": "many"}' if i == 500 else f'{{"n": {i}}}') for i in range(1000)]
    outcomes = sink.write(writes)
    assert [i for i, outcome in enumerate(outcomes) if outcome != Applied(created=True)] == [500]
    bad = outcomes[500]
    assert isinstance(bad, Rejected)
    assert bad.kind == "document_parsing_exception"
    assert "many" in bad.reason
    elastic.client.indices.refresh(index=index)
    assert elastic.client.count(index=index)["count"] == 999


@pytest.mark.parametrize(
    ("body", "vector"),
    [
        ('{"undeclared": 1}', None),
        ('{"title": {"an": "object"}}', None),
        ("{}", [float("nan"), 0.0, 0.0]),
        ("{}", [0.0, 0.0, 0.0]),
        ('{"n": ', None),
    ],
)
def test_what_the_mapping_refuses_is_rejected(sink: ElasticSink, body: str, vector: list[float] | None) -> None:
    """A field that nobody declared, a value of another type, a vector without direction, half a document."""
    bad, good = sink.write([a_document("bad", body, vector=vector), a_document("good")])
    assert isinstance(bad, Rejected)
    assert good == Applied(created=True)


def test_a_shard_that_is_away_puts_off_its_documents_and_not_the_others(
    real_elastic: Elastic, index_prefix: str
) -> None:
    """The server gives up waiting for it before the client gives up on the server."""
    client, name = real_elastic.client.options(request_timeout=10), f"{index_prefix}-2"
    client.indices.create(
        index=name,
        aliases={write_alias(name): {}},
        settings={"number_of_replicas": 0, "routing.allocation.require._name": "nobody"},
        wait_for_active_shards="0",
    )
    [outcome] = ElasticSink(client, write_alias(name), wait_seconds=1).write([a_document("1")])
    assert isinstance(outcome, Deferred)
    assert "unavailable_shards_exception" in outcome.reason


def test_a_row_that_breaks_the_whole_request_is_found(real_elastic: Elastic, sink: ElasticSink) -> None:
    """† A document on two lines makes the request unreadable: it is sent again in halves until the row stands alone."""
    writes = [a_document(str(i), '{"n":\n1}' if i == 77 else "{}") for i in range(100)]
    outcomes = sink.write(writes)
    assert [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Rejected)] == [77]
    assert all(isinstance(outcome, Applied) for i, outcome in enumerate(outcomes) if i != 77)


def test_a_document_above_the_limit_is_not_sent(elastic: Elastic, index: str) -> None:
    """It is rejected where it stands, and the others are applied."""
    sink = ElasticSink(elastic.client, write_alias(index), document_bytes_max=2000)
    long = a_document("2", json.dumps({"title": "x" * 2000}))
    outcomes = sink.write([a_document("1"), long, a_document("3"), Removal(("4",), 1)])
    assert [outcomes[0], *outcomes[2:]] == [Applied(created=True), Applied(created=True), Applied()]
    rejected = outcomes[1]
    assert isinstance(rejected, Rejected)
    assert rejected.kind == "document_too_large"
    assert "2000" in rejected.reason


def test_the_servers_limits_are_read(elastic: Elastic, sink: ElasticSink) -> None:
    """From its nodes, the least of each."""
    info = elastic.client.nodes.info(metric="http")["nodes"].values()
    assert sink._limits.request == min(node["http"]["max_content_length_in_bytes"] for node in info)
    assert sink._limits.pressure


def test_a_document_that_no_node_has_the_memory_for_is_rejected(real_elastic: Elastic, sink: ElasticSink) -> None:
    """Elasticsearch says "not now" to it for ever; put off, it would hold its feed for ever."""
    limit = min(sink._limits.pressure or 0, sink._limits.request)
    outcomes = sink.write([a_document("huge", '{"extra":["' + "x" * (limit + 10) + '"]}'), a_document("1")])
    assert outcomes[1] == Applied(created=True)
    assert isinstance(outcomes[0], Rejected)
    assert outcomes[0].kind == "document_too_large"


def test_a_missing_index_is_not_created(elastic: Elastic, index_prefix: str, index: str, sink: ElasticSink) -> None:
    """† Nor is it written to by its own name: the write alias alone will do."""
    with pytest.raises(IndexMissing, match=index):
        ElasticSink(elastic.client, index).write([a_document("1")])
    elastic.client.indices.delete(index=index)
    with pytest.raises(IndexMissing, match=index):
        sink.write([a_document("1")])
    assert not elastic.client.indices.exists(index=f"{index_prefix}*", allow_no_indices=False)


def test_a_closed_index_stops_the_pipeline(real_elastic: Elastic, index: str, sink: ElasticSink) -> None:
    """That is nothing to reject a row for."""
    real_elastic.client.indices.close(index=index)
    with pytest.raises(FatalError, match="closed"):
        sink.write([a_document("1")])


def test_several_threads_write_at_once(elastic: Elastic, index: str, sink: ElasticSink) -> None:
    """Each gets its own outcomes, in its own order."""

    def work(worker: int) -> list[Outcome]:
        bodies = ['{"n": "bad"}' if i % 10 == worker else "{}" for i in range(50)]
        return list(sink.write([a_document(f"{worker}-{i}", body) for i, body in enumerate(bodies)]))

    with ThreadPoolExecutor(8) as threads:
        for worker, outcomes in enumerate(threads.map(work, range(8))):
            assert [i % 10 for i, outcome in enumerate(outcomes) if isinstance(outcome, Rejected)] == [worker] * 5
