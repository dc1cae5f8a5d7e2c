"""Tokens: who may ask, and what nobody gets around."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient

from tests.app.api.api import ids, memory, serving

SEVEN, EIGHT, ALL, NOTES = ("seven" * 4, "eight" * 4, "all" * 6, "notes" * 4)
TOKENS = [
    {"token": SEVEN, "name": "seven", "pipelines": "articles", "filter": {"tenant_id": 7}},
    {"token": EIGHT, "pipelines": ["articles"], "filter": {"tenant_id": [8]}},
    {"token": ALL},
    {"token": NOTES, "pipelines": ["notes"]},
]
#: What the tenant 7 must never see.
FOREIGN = "3"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(name="client")
def _client() -> Iterator[TestClient]:
    with serving({"articles": memory(), "notes": memory()}, tokens=TOKENS) as client:
        yield client


@pytest.fixture(name="seven")
def _seven(client: TestClient) -> TestClient:
    client.headers.update(bearer(SEVEN))
    return client


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("x" * 20), bearer(""), bearer(SEVEN[:-1]), bearer(SEVEN + "x"), {"Authorization": f"Basic {SEVEN}"}],
)
@pytest.mark.parametrize(
    "path", ["/search", "/facets", "/suggest?q=l", "/documents/1", "/similar/1", "/search?size=-1"]
)
def test_nobody_gets_in_without_a_token(client: TestClient, path: str, headers: dict[str, str]) -> None:
    """Whatever is asked, the answer is the same; the process still answers for itself."""
    answer = client.get(path, headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.get("/healthz").status_code == 200


def test_a_token_is_for_its_pipelines(client: TestClient) -> None:
    """Of others it does not learn whether they exist; its only one it need not name."""
    assert client.get("/search?pipeline=articles", headers=bearer(NOTES)).status_code == 403
    unknown = client.get("/search?pipeline=unknown", headers=bearer(NOTES))
    other = client.get("/search?pipeline=articles", headers=bearer(NOTES))
    assert unknown.json()["error"] == other.json()["error"]
    assert client.get("/search", headers=bearer(NOTES)).status_code == 200
    assert client.get("/search?pipeline=articles", headers=bearer(ALL)).json()["total"] == 4
    assert client.get("/search?pipeline=unknown", headers=bearer(ALL)).status_code == 404


def test_a_token_is_named_in_logs_and_never_shown(client: TestClient) -> None:
    """By its name, or its place."""
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        client.get("/search", headers=bearer(SEVEN))
        client.get("/search", headers=bearer(EIGHT))
        client.get("/search", headers=bearer("wrong" * 5))
    assert [entry.get("token") for entry in logs] == ["seven", "serve.tokens[1]", None]
    assert not any(token in str(logs) for token in (SEVEN, EIGHT, "wrong" * 5))


def conditions() -> Iterator[dict[str, Any]]:
    """Yield conditions that a foreign document meets, alone and inside of others."""
    foreign = {"type": "term", "field": "tenant_id", "values": [8]}
    own = {"type": "term", "field": "tenant_id", "values": [7]}
    anything = {"type": "exists", "field": "title"}
    nothing = {"type": "not", "condition": anything}
    plain: list[dict[str, Any]] = [
        foreign,
        {"type": "term", "field": "tenant_id", "values": [7, 8, "8", 8.0]},
        {"type": "term", "field": "tags", "values": ["hidden"]},
        {"type": "range", "field": "tenant_id", "gt": 7},
        {"type": "prefix", "field": "title", "text": "Late s"},
        {"type": "exists", "field": "tenant_id"},
        {"type": "not", "condition": own},
        anything,
    ]
    yield from plain
    for one, other in itertools.product(plain, (anything, nothing, own, foreign)):
        yield {"type": "one_of", "conditions": [one, other]}
        yield {
            "type": "not",
            "condition": {"type": "one_of", "conditions": [{"type": "not", "condition": one}, nothing]},
        }


def test_no_condition_takes_back_what_a_token_is_held_to(seven: TestClient) -> None:
    """Alternatives, negations and conditions on the same field narrow what it may see, and never widen it."""
    tried = 0
    for condition in conditions():
        for body in ({"conditions": [condition]}, {"text": "secrets hidden", "conditions": [condition]}):
            answer = seven.post("/search", json=body)
            assert FOREIGN not in ids(answer), condition
            assert answer.json()["total"] <= 3
            assert seven.post("/facets", json=body).json()["total"] <= 3
            tried += 1
    assert tried > 100
    for parameters in (
        {"filter": "tenant_id:8"},
        {"filter": ["tenant_id:7", "tenant_id:8"]},
        {"range": "tenant_id:8.."},
    ):
        for path in ("/search", "/facets"):
            assert seven.get(path, params=parameters).json()["total"] in {0, 3}
        assert FOREIGN not in ids(seven.get("/search", params=parameters))


def test_facets_count_what_the_token_may_see(seven: TestClient) -> None:
    """A facet leaves out the conditions on its own field: so it is not to be had of the field that holds the token."""
    for answer in (
        seven.get("/search?facet=tags&filter=tags:hidden"),
        seven.post("/facets", json={"facets": {"t": {"type": "terms", "field": "tags"}}}),
        seven.get("/facets?facet=tags:1000&range=tenant_id:8.."),
    ):
        assert "hidden" not in answer.text
    for field in ("tenant_id", "tenant_id.keyword"):
        for facet in (
            {"type": "terms", "field": field},
            {"type": "range", "field": field, "ranges": [{"start": 8}]},
            {"type": "date", "field": field},
        ):
            answer = seven.post("/facets", json={"facets": {"t": facet}})
            assert (answer.status_code, answer.json()["error"]["field"]) == (403, "facets.t.field")
            assert seven.post("/search", json={"facets": {"t": facet}}).status_code == 403
    assert seven.get("/search?facet=tenant_id").status_code == 403


def test_a_document_of_others_is_not_there(seven: TestClient) -> None:
    """By its key, by what is similar to it, by conditions that name it: the answer is that of one that is not there."""
    for path in ("/documents", "/similar"):
        for query in ("", "?filter=tenant_id:8", "?range=tenant_id:8.."):
            foreign, missing = seven.get(f"{path}/{FOREIGN}{query}"), seven.get(f"{path}/99{query}")
            assert foreign.status_code == missing.status_code == 404
            assert foreign.text.replace("'3'", "'99'").split('"request_id"')[0] == missing.text.split('"request_id"')[0]
    for query in ("", "?filter=tags:postgres", "?size=1000"):
        assert FOREIGN not in ids(seven.get(f"/similar/1{query}"))


def test_no_text_of_others_is_completed(seven: TestClient) -> None:
    """Nor found by its first letters."""
    for query in ("q=late", "q=late+s", "q=late&field=title", "q=late+s&filter=tenant_id:8", "q=hid&field=tags"):
        assert "secret" not in seven.get(f"/suggest?{query}").text
        assert "hidden" not in seven.get(f"/suggest?{query}").text


@pytest.mark.parametrize("part", ["did_you_mean", "explain"])
def test_words_of_others_are_not_told(seven: TestClient, part: str) -> None:
    """Spellings are those of all documents, and an explanation says how many hold a word."""
    for answer in (seven.get(f"/search?q=secert&{part}=true"), seven.post("/search", json={"text": "x", part: True})):
        assert (answer.status_code, answer.json()["error"]["field"]) == (403, part)


def test_a_cursor_of_others_leads_nowhere(client: TestClient) -> None:
    """Nor does one of the same search, asked by somebody who may see more."""
    query = "/search?pipeline=articles&q=late&size=1&paged=true"
    own = client.get(query, headers=bearer(SEVEN)).json()["cursor"]
    assert own
    for token in (ALL, EIGHT):
        foreign = client.get(query, headers=bearer(token)).json()["cursor"]
        if foreign:
            answer = client.get(query, params={"cursor": foreign}, headers=bearer(SEVEN))
            assert answer.status_code == 422
    assert client.get(f"{query}&cursor={own}", headers=bearer(EIGHT)).status_code == 422
    following = client.get(f"{query}&cursor={own}", headers=bearer(SEVEN))
    assert ids(following) == ["2"]


def test_routing_leads_to_no_document_of_others(seven: TestClient) -> None:
    """It chooses shards, and documents there are held to the same."""
    assert FOREIGN not in ids(seven.get("/search?routing=8"))
    assert FOREIGN not in ids(seven.post("/search", json={"routing": "8", "text": "secrets"}))


def test_a_wrong_condition_is_named_as_its_caller_wrote_it(seven: TestClient) -> None:
    """What the token adds does not shift it."""
    wrong = {"type": "exists", "field": "secret"}
    good = {"type": "exists", "field": "title"}
    answer = seven.post("/search", json={"conditions": [good, wrong]})
    assert answer.json()["error"]["field"] == "conditions.1.field"
