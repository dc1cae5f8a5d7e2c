"""A server under pressure, or in trouble: what is put off, for how long, and what no row is blamed for."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from elastic_transport import ApiError, ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.client import ElasticConnection, connect, server
from syncer.adapters.elastic.error import retry_after
from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.change import Removal
from syncer.core.error import SinkUnavailable
from syncer.core.index import write_alias
from syncer.core.outcome import Applied, Deferred, Rejected
from tests.adapters.elastic.examples import a_document
from tests.adapters.elastic.scripted import TOO_BUSY, Answer, Request, Script, scripted
from tests.conftest import Elastic
from tests.services.proxy import ProxyFactory, Way

BREAKER = {"type": "circuit_breaking_exception", "reason": "[parent] Data too large", "durability": "TRANSIENT"}
THREE = [a_document("1"), a_document("2"), a_document("3")]


def refused(**headers: str) -> ApiError:
    """Return what the client raises for a request that is refused with these headers."""
    sent = HttpHeaders({name.replace("_", "-"): value for name, value in headers.items()})
    return ApiError("refused", ApiResponseMeta(429, "1.1", sent, 0.1, NodeConfig("http", "h", 1)), {})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "Sun, 22 Nov 2026 10:02:00 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 120.0),
        ({"retry_after": "Sun, 22 Nov 2026 09:00:00 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"retry_after": "Sun, 22 Nov 2026 10:02:00 GMT"}, None),
        ({"retry_after": "Sun, 22 Nov 2026 10:02:00 GMT", "date": "Sun, 22 Nov 2026 10:00:00 -0000"}, None),
        ({"retry_after": "Sun, 22 Nov 99999999999 10:02:00 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"}, None),
        ({"retry_after": "-7"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    """A date is compared with the answer's own, whatever our clock says."""
    assert retry_after(refused(**headers)) == seconds


def test_a_full_queue_puts_off_its_rows_alone(scripted_sink: Any) -> None:
    """429 and a tripped breaker, said of single rows: no fault of theirs, and the others are applied."""
    items = [
        {"index": {"_id": "1", "status": 201, "result": "created"}},
        {"index": {"_id": "2", **TOO_BUSY}},
        {"index": {"_id": "3", "status": 429, "error": BREAKER}},
    ]
    assert scripted_sink(Script(Answer(200, {"items": items}))).write(THREE) == [
        Applied(created=True),
        Deferred("es_rejected_execution_exception: queue is full"),
        Deferred("circuit_breaking_exception: [parent] Data too large"),
    ]


def test_a_tripped_breaker_puts_off_the_request(scripted_sink: Any) -> None:
    """All of it, as long as the server asks, and it is not sent in pieces meanwhile."""
    script = Script(Answer(429, {"error": BREAKER}, {"Retry-After": "2"}))
    put_off = Deferred("circuit_breaking_exception: [parent] Data too large", 2.0)
    assert scripted_sink(script).write(THREE) == [put_off] * 3
    assert script.sent == [["1", "2", "3"]]


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_puts_off_to_tell_what_it_holds_is_taken_to_hold_nothing(status: int) -> None:
    """What is written then is put off, and sent again; an error would end a backfill."""
    refusing = Answer(status, {"error": BREAKER})
    with scripted(lambda _request: refusing) as url, Elasticsearch(url) as client:
        assert ElasticSink(client, "w").held([write.draft for write in THREE]) == {}


def test_a_proxy_without_a_server_says_when_to_come_back(scripted_sink: Any) -> None:
    """The error carries it to whoever waits."""
    with pytest.raises(SinkUnavailable) as raised:
        scripted_sink(Script(Answer(502, "", {"Retry-After": "9", "Content-Type": "text/html"}))).write(THREE)
    assert raised.value.retry_after == 9.0


def test_an_internal_error_of_one_row_makes_it_suspect(scripted_sink: Any) -> None:
    """It is put off like the others, and may be to blame."""
    internal = {"type": "null_pointer_exception", "reason": "null"}
    items = [
        {"index": {"_id": "1", "status": 200, "result": "updated"}},
        {"index": {"_id": "2", "status": 500, "error": internal}},
        {"index": {"_id": "3", **TOO_BUSY}},
    ]
    _, internal_error, busy = scripted_sink(Script(Answer(200, {"items": items}))).write(THREE)
    assert internal_error == Deferred("null_pointer_exception: null", suspect=True)
    assert not busy.suspect


def test_an_internal_error_of_a_whole_request_blames_no_row_of_several(scripted_sink: Any) -> None:
    """Some may have been applied: nothing is sent again as it was, and a server in trouble gets one request."""
    script = Script(Answer(500, ""))
    with pytest.raises(SinkUnavailable):
        scripted_sink(script).write(THREE)
    assert script.sent == [["1", "2", "3"]]


def test_an_internal_error_of_a_row_alone_makes_it_suspect(scripted_sink: Any) -> None:
    """Nothing else in the request could be to blame."""
    assert scripted_sink(Script(Answer(500, ""))).write(THREE[:1]) == [Deferred("status 500", suspect=True)]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"items": [{"index": {"_id": "1", "status": 200}}]}, cut=True),
        Answer(200, '{"items": [{"index": {"_id": "1", "stat'),
        Answer(504, "", {"Content-Type": "text/html"}),
        Answer(408, ""),
    ],
    ids=["reset in the middle", "half of it", "a proxy's timeout", "a timeout"],
)
def test_an_answer_that_does_not_arrive_whole_is_none(scripted_sink: Any, answer: Answer) -> None:
    """What was sent may have been applied, so it is not sent again as it was."""
    script = Script(answer)
    with pytest.raises(SinkUnavailable):
        scripted_sink(script).write(THREE)
    assert script.sent == [["1", "2", "3"]]


class Slow(Script):
    """Answers nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def __call__(self, request: Request) -> Answer:
        answer = super().__call__(request)
        if "/_bulk" in request.path:
            self.free.wait(30)
        return answer


def test_a_server_slower_than_the_client_waits_is_away(scripted_sink: Any) -> None:
    """The bulk is sent once: it may still be applied."""
    script = Slow()
    try:
        with pytest.raises(SinkUnavailable, match=r"[Tt]ime"):
            scripted_sink(script, request_timeout=0.3).write(THREE)
    finally:
        script.free.set()
    assert script.sent == [["1", "2", "3"]]


def test_a_document_above_http_max_content_length_is_refused_alone(real_elastic: Elastic, index_prefix: str) -> None:
    """Also where nobody may read the limit, so that it is sent: the server cuts it off, and takes the others."""
    name = f"{index_prefix}-1"
    indices = ElasticIndices(real_elastic.client, mapping([], []), IndexSettings())
    indices.create(name, {})
    nodes = real_elastic.client.nodes.info(metric="http")["nodes"].values()
    limit = min(node["http"]["max_content_length_in_bytes"] for node in nodes)
    sink = ElasticSink(real_elastic.client, write_alias(name), document_bytes_max=2 * limit)
    before, longest, after = sink.write([THREE[0], a_document("2", f'{{"title":"{"x" * limit}"}}'), THREE[2]])
    assert isinstance(longest, Rejected)
    assert longest.kind == "document_too_large"
    assert [before, after] == [Applied(created=True)] * 2


def test_an_answer_that_is_cut_off_anywhere_is_trouble_that_passes(
    elastic: Elastic, index_prefix: str, proxy: ProxyFactory
) -> None:
    """In its headers too, where it looks like the answer of another product, or like one without a body."""
    alias = f"{index_prefix}-write"
    elastic.client.indices.create(index=index_prefix, aliases={alias: {"is_write_index": True}})
    between = proxy(elastic.url)
    client = connect(ElasticConnection(hosts=[between.url(elastic.url)]))
    server(client)
    sink = ElasticSink(client, alias)
    outcomes: dict[str, list[int]] = {}
    for size in range(1, 400):
        between.truncate(size, Way.ANSWER)
        try:
            sink.write([Removal(("1",), size)])
            met = "answered"
        except SinkUnavailable:
            met = "unavailable"
        outcomes.setdefault(met, []).append(size)
        between.restore()
    client.close()
    assert len(outcomes["unavailable"]) > 100
    assert min(outcomes.get("answered", [10_000])) > max(outcomes["unavailable"]), "only what arrived whole counts"
