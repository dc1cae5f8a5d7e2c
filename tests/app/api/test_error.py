"""What a request is answered that cannot be served."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient

from syncer.adapters.memory.searcher import MemorySearcher
from syncer.core.error import (
    AccessDenied,
    CredentialsRefused,
    EmbedderUnavailable,
    FingerprintMismatch,
    IndexMissing,
    RequestInvalid,
    SinkUnavailable,
    SyncerError,
)
from syncer.core.search.limit import CONDITIONS_MAX, DEPTH_MAX, SIZE_MAX, TEXT_MAX
from syncer.core.search.request import Request
from syncer.core.search.result import Result
from tests.app.api.api import FIELDS, serving


@pytest.fixture(name="client")
def _client() -> Iterator[TestClient]:
    with serving() as client:
        yield client


class Failing(MemorySearcher):
    """Raises what it is given."""

    def __init__(self, error: Exception) -> None:
        super().__init__({}, FIELDS)
        self.error = error

    async def search(self, request: Request) -> Result:
        raise self.error


def term(field: str = "tags") -> dict[str, Any]:
    return {"type": "term", "field": field, "values": ["x"]}


def nested(levels: int) -> dict[str, Any]:
    condition = term()
    for _ in range(levels - 1):
        condition = {"type": "not", "condition": condition}
    return condition


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"filter": "tags"}, "filter"),
        ({"filter": "secret:1"}, "filter"),
        ({"range": "year:2020"}, "range"),
        ({"sort": "-secret"}, "sort"),
        ({"facet": "secret"}, "facet"),
        ({"facet": "tags:0"}, "facet"),
        ({"facet": "tags:100000"}, "facet"),
        ({"highlight": "secret"}, "highlight"),
        ({"fields": "secret"}, "fields"),
        ({"mode": "magic"}, "mode"),
        ({"mode": "vector"}, "mode"),
        ({"size": SIZE_MAX + 1}, "size"),
        ({"size": -1}, "size"),
        ({"offset": 10_001}, "offset"),
        ({"q": "x" * (TEXT_MAX + 1)}, "q"),
        ({"cursor": "5.forged"}, "cursor"),
        ({"filtre": "tags:x"}, "filtre"),
    ],
)
def test_a_wrong_parameter_is_named(client: TestClient, parameters: Mapping[str, Any], field: str) -> None:
    """So is one that is not known: a filter that is misspelt must not pass for none."""
    answer = client.get("/search", params=parameters)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["type"], error["field"]) == ("invalid_request", field)
    assert error["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"txt": "x"}, "txt"),
        ({"conditions": [term(), term("secret")]}, "conditions.1.field"),
        ({"conditions": [{"type": "script", "source": "1"}]}, "conditions.0"),
        ({"conditions": [{**term(), "boost": 2}]}, "conditions.0.boost"),
        ({"conditions": [{"type": "term", "field": "tags", "values": []}]}, "conditions.0.values"),
        ({"conditions": [{"type": "term", "field": "tags", "values": [{"query": {}}]}]}, None),
        ({"conditions": [{"type": "not", "condition": {"type": "range", "field": "year"}}]}, "conditions.0.condition"),
        ({"conditions": [term()] * (CONDITIONS_MAX + 1)}, "conditions"),
        ({"facets": {"term": {"type": "terms", "field": "tags", "size": 0}}}, "facets.term.size"),
        ({"facets": {"a>b": {"type": "terms", "field": "tags"}}}, None),
        ({"sort": [{"field": "_script", "descending": True}]}, "sort.0.field"),
        ({"words": {"match": "most"}}, "words.match"),
        ({"fusion": {"k": 0}}, "fusion.k"),
        ({"query": {"match_all": {}}}, "query"),
        ([], ""),
    ],
)
def test_a_wrong_part_of_a_body_is_named(client: TestClient, body: Any, field: str | None) -> None:
    """By the way to it, as it is written."""
    answer = client.post("/search", json=body)
    assert answer.status_code == 422
    found = answer.json()["error"]["field"] or ""
    assert found == field or (field is None and found.partition(".")[0] in {"conditions", "facets"}), found


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("NaN", "finite number"),
        ('{"a": 1}', "a text, a number, true or false"),
        ("null", "a text, a number, true or false"),
        ("1" * 30, "64 bits"),
        (f'"{"x" * 9000}"', "at most 8191 characters"),
    ],
)
def test_a_wrong_value_is_told_once(client: TestClient, value: str, said: str) -> None:
    """Not what is wrong with it for each type that it might have been."""
    for wrong, field in (
        (f'{{"conditions": [{{"type": "term", "field": "tags", "values": [1, {value}]}}]}}', "conditions.0.values.1"),
        (f'{{"conditions": [{{"type": "range", "field": "year", "gte": {value}}}]}}', "conditions.0.gte"),
    ):
        if value == "null" and field.endswith("gte"):
            continue
        answer = client.post("/search", content=wrong, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
        assert said in answer.json()["error"]["message"]


def test_an_error_that_quotes_half_a_character_is_an_answer() -> None:
    """It is no UTF-8."""
    with serving({"articles": Failing(RequestInvalid("conditions.0.gte", "no number: \ud83e"))}) as client:
        answer = client.get("/search")
        assert (answer.status_code, answer.json()["error"]["message"]) == (422, "no number: ?")
        assert answer.json()["error"]["field"] == "range"


def test_conditions_are_only_so_deep(client: TestClient) -> None:
    """Nor can their number be hidden inside of others, nor the JSON itself be too deep to read."""
    assert client.post("/search", json={"conditions": [nested(DEPTH_MAX)]}).status_code == 200
    assert "deeper" in client.post("/search", json={"conditions": [nested(DEPTH_MAX + 1)]}).json()["error"]["message"]
    many = {"type": "one_of", "conditions": [term()] * CONDITIONS_MAX}
    assert "more than" in client.post("/search", json={"conditions": [many]}).json()["error"]["message"]
    for text in (json.dumps({"conditions": [nested(900)]}), "[" * 60_000, '{"conditions":' * 4000):
        answer = client.post("/search", content=text, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}, answer.text
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize("text", ["", "{", '{"text": NaN}', '{"size": 1e400}', "\xff"])
def test_a_body_that_is_no_json_is_told_so(client: TestClient, text: str) -> None:
    """Whatever came, the answer is one."""
    headers = {"Content-Type": "application/json"}
    answer = client.post("/search", content=text.encode("latin-1"), headers=headers)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["error"]["type"].startswith("invalid")


@pytest.mark.parametrize(
    ("error", "status", "kind", "wait"),
    [
        (SinkUnavailable("elasticsearch: http://inside:9200 refused", retry_after=7.2), 503, "search_unavailable", "8"),
        (SinkUnavailable("elasticsearch: gone"), 503, "search_unavailable", "1"),
        (EmbedderUnavailable("embedding.url: http://inside"), 503, "embedding_unavailable", "1"),
        (IndexMissing("elasticsearch: no such index [inside]"), 503, "index_missing", "10"),
        (FingerprintMismatch("inside"), 503, "index_outdated", "60"),
        (AccessDenied("elasticsearch: inside lacks a privilege"), 500, "internal_error", None),
        (CredentialsRefused("elasticsearch: inside"), 500, "internal_error", None),
        (ZeroDivisionError("inside"), 500, "internal_error", None),
    ],
)
def test_what_fails_inside_is_not_told_outside(error: Exception, status: int, kind: str, wait: str | None) -> None:
    """The caller learns what to do, the log what happened; one name of the request stands in both."""
    with structlog.testing.capture_logs() as logs, serving({"articles": Failing(error)}) as client:
        answer = client.get("/search", headers={"X-Request-ID": "mine-1"})
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, wait)
    assert (answer.json()["error"]["type"], answer.json()["request_id"]) == (kind, "mine-1")
    assert "inside" not in answer.text
    assert "Traceback" not in answer.text
    said = error.message if isinstance(error, SyncerError) else str(error)
    assert any(said in f"{entry.get('message')} {entry.get('exc_info')}" for entry in logs), logs


def test_what_is_not_there_is_answered_alike(client: TestClient) -> None:
    """Another path, another method."""
    for answer, status in ((client.get("/elsewhere"), 404), (client.delete("/search"), 405)):
        assert answer.status_code == status
        assert set(answer.json()) == {"error", "request_id"}
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"]
