"""Answers that no healthy Elasticsearch gives on demand, and what they mean for each row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncer.core.error import AccessDenied, CredentialsRefused, FatalError, IndexMissing, SinkUnavailable, SyncerError
from syncer.core.outcome import Applied, Deferred, Rejected
from tests.adapters.elastic.examples import a_document
from tests.adapters.elastic.scripted import LIMITS, TOO_BUSY, Answer, Request, Script


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
    """† 413 for the whole: halves, down to the single document that is still too large."""
    script = Script()
    limited = Limited(script, 600)
    long = a_document("long", json.dumps({"title": "x" * 700}))
    outcomes = scripted_sink(limited).write([*(a_document(str(i)) for i in range(7)), long])
    assert outcomes[:7] == [Applied()] * 7
    assert isinstance(outcomes[7], Rejected)
    assert outcomes[7].kind == "document_too_large"


class Nodes(Script):
    """A cluster of nodes of some versions; its index keeps vectors in documents, or not."""

    def __init__(self, *versions: str, failed: int = 0, excludes: str = "true") -> None:
        super().__init__()
        self._nodes = {
            "_nodes": {"failed": failed},
            "nodes": {version: {"version": version, **LIMITS["nodes"]["n"]} for version in versions},
        }
        self._settings = {"w-1": {"defaults": {"index": {"mapping": {"exclude_source_vectors": excludes}}}}}
        self.vectors: list[Any] = []

    def __call__(self, request: Request) -> Answer:
        if request.path.startswith("/_nodes/http"):
            return Answer(200, self._nodes)
        if "/_settings/" in request.path:
            return Answer(200, self._settings)
        if "_bulk" in request.path:
            self.vectors += [line["v"] for line in request.lines[1::2]]
        return super().__call__(request)


@pytest.mark.parametrize(
    ("cluster", "packed"),
    [
        (Nodes("9.3.0", "9.10.1"), True),
        (Nodes("9.2.4", "9.4.3"), False),
        (Nodes("9.4.3", failed=1), False),
        (Nodes("9.4.3", excludes="false"), False),
        (Nodes("8.19.0"), False),
    ],
)
def test_vectors_are_packed_where_every_node_takes_that(scripted_sink: Any, cluster: Nodes, packed: bool) -> None:
    """A node of before would refuse each document; and one that keeps vectors would show it to readers as it came."""
    scripted_sink(cluster).write([a_document("1", vector=[1.0, 0.5, 0.0])])
    assert cluster.vectors == (["P4AAAD8AAAAAAAAA"] if packed else [[1.0, 0.5, 0.0]])


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
    """† What was sent may have been applied: the engine hydrates and numbers it again, the sink only says so."""
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
        (Answer(200, {"items": [{"index": {"_id": "1", "status": 403, "error": {"type": "else"}}}]}), AccessDenied),
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
