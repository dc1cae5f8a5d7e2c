"""Writes to an index: what is sent, and what the answers mean."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.action import Actions
from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.change import Document, Draft, Removal
from syncer.core.error import AccessDenied, CredentialsRefused, FatalError, IndexMissing, SinkUnavailable, SyncerError
from syncer.core.field import Field, VectorField
from syncer.core.index import write_alias
from syncer.core.outcome import Applied, Deferred, Outcome, Rejected, Stale
from tests.adapters.elastic.scripted import Answer, Request, scripted
from tests.conftest import Elastic

FIELDS = [Field("title", "title", "text"), Field("n", "n", "long"), Field("extra", "extra", "object")]
JSON = {"accept": "application/json"}
VECTORS = [VectorField("v", "{title}", 3)]


def a_document(key: str, body: str = "{}", *, version: int = 100, vector: list[float] | None = None) -> Document:
    vectors = {"v": struct.pack("<3f", *vector)} if vector else {}
    return Document(Draft((key,), body, -7, {}), vectors, version)


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


def test_a_document_is_sent_as_it_is() -> None:
    """Not parsed and printed anew: digits that no float holds stay, and every float32 of a vector is named exactly."""
    vector = [0.1, -1 / 3, 1.17549e-38]
    sent = Actions("w").of(a_document("1", '{"d": 12345678901234567890.10}', vector=vector)).body
    assert sent is not None
    assert b'{"d": 12345678901234567890.10,' in sent
    assert struct.pack("<3f", *json.loads(sent)["v"]) == struct.pack("<3f", *vector)


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
    """A document on two lines makes the request unreadable: it is sent again in halves until the row stands alone."""
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
    """Nor is it written to by its own name: the write alias alone will do."""
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


LIMITS = {"nodes": {"n": {"http": {"max_content_length_in_bytes": 10_000}}}}
TOO_BUSY = {"error": {"type": "es_rejected_execution_exception", "reason": "queue is full"}, "status": 429}


class Script:
    """Answers bulks in turn, the last answer ever after; `sent` holds the ids of each request."""

    def __init__(self, *answers: Answer | None) -> None:
        """None: everything is applied."""
        self.sent: list[list[str]] = []
        self._answers = iter(answers)
        self._last: Answer | None = None

    def __call__(self, request: Request) -> Answer:
        if request.path.startswith("/_nodes/stats"):
            return Answer(200, {"nodes": {"n": {"indexing_pressure": {"memory": {"limit_in_bytes": 5_000}}}}})
        if request.path.startswith("/_nodes"):
            return Answer(200, LIMITS)
        self.sent.append([line["index"]["_id"] for line in request.lines[::2]])
        self._last = next(self._answers, self._last)
        return self._last or Answer(200, request.all_applied())


@pytest.fixture
def scripted_sink() -> Iterator[Any]:
    """Call it with a script and a size of chunks: a sink that talks to it."""
    with ExitStack() as stack:

        def make(script: Script, chunk_bytes_max: int = 8 * 2**20) -> ElasticSink:
            url = stack.enter_context(scripted(script))
            # As it comes, a client sends again what fails.
            client = stack.enter_context(Elasticsearch(url))
            return ElasticSink(client, "w", chunk_bytes_max=chunk_bytes_max)

        yield make


def test_the_servers_own_limit_is_the_default(scripted_sink: Any) -> None:
    """A document that the server would refuse for its length is rejected without sending it."""
    script = Script()
    applied, rejected = scripted_sink(script).write([a_document("1"), a_document("2", f'{{"title":"{"x" * 10_000}"}}')])
    assert applied == Applied()
    assert isinstance(rejected, Rejected)
    assert script.sent == [["1"]]


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_under_pressure_puts_off_what_it_has_not_taken(scripted_sink: Any, status: int) -> None:
    """Chunks that were answered for keep their outcomes; the rest is put off for as long as the server asks."""
    script = Script(None, Answer(status, TOO_BUSY, {"Retry-After": "3"}))
    outcomes = scripted_sink(script, chunk_bytes_max=400).write([a_document(str(i)) for i in range(9)])
    taken = len(script.sent[0])
    assert 0 < taken < 9
    assert len(script.sent) == 2
    assert outcomes[:taken] == [Applied()] * taken
    assert outcomes[taken:] == [Deferred("es_rejected_execution_exception: queue is full", 3.0)] * (9 - taken)


def test_a_document_too_large_for_the_servers_memory_is_told_from_pressure(scripted_sink: Any) -> None:
    """Of a request that is put off, the document that can never be taken is rejected."""
    writes = [a_document("1"), a_document("2", json.dumps({"title": "x" * 1500})), a_document("3")]
    put_off, never, put_off_too = scripted_sink(Script(Answer(429, TOO_BUSY))).write(writes)
    assert isinstance(put_off, Deferred)
    assert isinstance(put_off_too, Deferred)
    assert isinstance(never, Rejected)
    assert never.kind == "document_too_large"


def test_a_proxy_that_refuses_large_requests_gets_smaller_ones(scripted_sink: Any) -> None:
    """413 for the whole: halves, down to the single document that is still too large."""
    script = Script()
    limited = Limited(script, 600)
    long = a_document("long", json.dumps({"title": "x" * 700}))
    outcomes = scripted_sink(limited).write([*(a_document(str(i)) for i in range(7)), long])
    assert outcomes[:7] == [Applied()] * 7
    assert isinstance(outcomes[7], Rejected)
    assert outcomes[7].kind == "document_too_large"


class Limited(Script):
    """Refuses requests above a size with an empty 413, as proxies do."""

    def __init__(self, script: Script, bytes_max: int) -> None:
        super().__init__()
        self._script = script
        self._bytes_max = bytes_max

    def __call__(self, request: Request) -> Answer:
        too_large = len(request.body) > self._bytes_max
        return Answer(413, "", {"Content-Type": "text/html"}) if too_large else self._script(request)


def test_a_lost_answer_is_not_sent_again(scripted_sink: Any) -> None:
    """What was sent may have been applied: the engine hydrates and numbers it again, the sink only says so."""
    script = Script(Answer(None))
    with pytest.raises(SinkUnavailable):
        scripted_sink(script).write([a_document("1")])
    assert script.sent == [["1"]]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, {"error": {"type": "security_exception", "reason": "not known"}}), CredentialsRefused),
        (Answer(403, {"error": {"type": "security_exception", "reason": "unauthorized"}}), AccessDenied),
        (Answer(404, {"error": {"type": "index_not_found_exception", "reason": "no such index"}}), IndexMissing),
        (Answer(502, "<html>Bad Gateway</html>", {"Content-Type": "text/html"}), SinkUnavailable),
        (Answer(200, {"items": []}), FatalError),
        (Answer(200, {"items": [{"index": {"_id": "2", "status": 200}}]}), FatalError),
        (
            Answer(200, {"items": [{"index": {"_id": "1", "status": 403, "error": {"type": "security_exception"}}}]}),
            AccessDenied,
        ),
    ],
)
def test_what_no_row_is_to_blame_for_is_raised(scripted_sink: Any, answer: Answer, error: type[SyncerError]) -> None:
    """Nor is an answer believed that is about something else, or about less than was sent."""
    with pytest.raises(error) as raised:
        scripted_sink(Script(answer)).write([a_document("1")])
    assert type(raised.value) is error


def test_passing_trouble_with_a_row_puts_it_off(scripted_sink: Any) -> None:
    """A shard without primary, a block, a full queue: said of one row, the others are applied."""
    blocked = {"type": "cluster_block_exception", "reason": "read-only"}
    items = [
        {"index": {"_id": "1", "status": 201, "result": "created"}},
        {"index": {"_id": "2", "status": 503, "error": {"type": "unavailable_shards_exception", "reason": "x"}}},
        {"index": {"_id": "3", "status": 403, "error": blocked}},
    ]
    created, away, block = scripted_sink(Script(Answer(200, {"items": items}))).write(
        [a_document("1"), a_document("2"), a_document("3")]
    )
    assert created == Applied(created=True)
    assert isinstance(away, Deferred)
    assert isinstance(block, Deferred)
