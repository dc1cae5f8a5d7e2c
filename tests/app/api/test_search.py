"""`/search` and `/facets`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient

from syncer.app.serve_settings import ServeSettings
from tests.app.api.api import ids, memory, serving

PAGE = Path(__file__).parents[3] / "docs" / "serve.md"


@pytest.fixture(name="client")
def _client() -> Iterator[TestClient]:
    with serving() as client:
        yield client


def test_words_are_searched(client: TestClient) -> None:
    """The document that holds more of them comes first."""
    assert ids(client.get("/search", params={"q": "late commits"}))[:2] == ["1", "3"]
    assert ids(client.post("/search", json={"text": "late commits"}))[:2] == ["1", "3"]


def test_without_a_text_all_documents_are_found(client: TestClient) -> None:
    """So a page can be browsed before anything is typed."""
    assert client.get("/search").json()["total"] == 4


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"filter": "tags:postgres"}, {"1", "3"}),
        ({"filter": ["tags:postgres", "tags:post"]}, {"1", "2", "3"}),
        ({"filter": ["tags:postgres", "tenant_id:8"]}, {"3"}),
        ({"range": "year:2021..2024"}, {"2"}),
        ({"range": "published_at:2024-04-01.."}, {"3"}),
        ({"range": "year:..2023"}, {"a/b|c"}),
    ],
)
def test_parameters_filter(client: TestClient, parameters: dict[str, str], found: set[str]) -> None:
    """Values of one field are alternatives, those of several fields hold together; a range is without its end."""
    assert set(ids(client.get("/search", params=parameters))) == found


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"type": "term", "field": "tenant_id", "values": [8]}, {"3"}),
        ({"type": "range", "field": "year", "gt": 2023}, {"1", "3"}),
        ({"type": "exists", "field": "place"}, {"1"}),
        ({"type": "prefix", "field": "title", "text": "Late"}, {"1", "2", "3"}),
        ({"type": "near", "field": "place", "latitude": 52.5, "longitude": 13.41, "distance": "5km"}, {"1"}),
        ({"type": "not", "condition": {"type": "term", "field": "tenant_id", "values": [7]}}, {"3"}),
        (
            {
                "type": "one_of",
                "conditions": [
                    {"type": "term", "field": "tags", "values": ["post"]},
                    {"type": "not", "condition": {"type": "exists", "field": "body"}},
                ],
            },
            {"2", "a/b|c"},
        ),
    ],
)
def test_a_body_filters(client: TestClient, condition: dict[str, object], found: set[str]) -> None:
    """Every kind of condition can be written."""
    assert set(ids(client.post("/search", json={"conditions": [condition]}))) == found


def test_results_are_sorted_and_paged(client: TestClient) -> None:
    """Both by offset and by cursor, without a document twice."""
    ordered = ids(client.get("/search", params={"sort": "-year,title"}))
    assert ordered == ["1", "3", "2", "a/b|c"]
    assert ids(client.get("/search", params={"sort": "-year,title", "size": 2, "offset": 2})) == ordered[2:]
    found: list[str] = []
    parameters: dict[str, str | int | bool] = {"sort": "-year,title", "size": 3, "paged": True}
    while True:
        answer = client.get("/search", params=parameters)
        found += ids(answer)
        cursor = answer.json()["cursor"]
        if cursor is None:
            break
        parameters["cursor"] = cursor
    assert found == ordered


def test_facets_are_counted(client: TestClient) -> None:
    """Beside the hits, or alone; a filter on the facet's own field leaves its other values to be chosen."""
    facets = client.get("/search", params={"facet": ["tags:2", "published_at:year"], "filter": "tags:post"}).json()
    assert next((bucket["value"], bucket["count"]) for bucket in facets["facets"]["tags"]) == ("postgres", 2)
    assert len(facets["facets"]["tags"]) == 2
    assert [bucket["start"] for bucket in facets["facets"]["published_at"]] == ["2023"]
    body = {"facets": {"age": {"type": "range", "field": "year", "ranges": [{"end": 2021}, {"start": 2021}]}}}
    answer = client.post("/facets", json=body).json()
    assert [bucket["count"] for bucket in answer["facets"]["age"]] == [1, 3]
    assert (answer["total"], answer["exact"], "hits" in answer) == (4, True, False)
    assert client.get("/facets", params={"facet": "tags", "q": "late"}).json()["total"] == 3


def test_highlights_and_chosen_fields_are_returned(client: TestClient) -> None:
    """What was found is marked, and the rest of the text escaped."""
    answer = client.get("/search", params={"q": "parcel", "highlight": "body", "fields": "title,year"})
    (hit,) = answer.json()["hits"]
    assert hit["highlights"] == {"body": ["A <mark>parcel</mark> &amp; its &lt;route&gt;"]}
    assert hit["source"] == {"title": "Late deliveries", "year": 2023}


def test_a_pipeline_is_named_where_there_are_several() -> None:
    """By the same parameter for both forms."""
    with serving({"articles": memory(), "notes": memory(("title",))}) as client:
        assert client.get("/search").json()["error"]["field"] == "pipeline"
        assert client.get("/search?pipeline=notes").status_code == 200
        assert client.post("/search?pipeline=notes", json={}).status_code == 200
        refused = client.get("/search?pipeline=notes&sort=year").json()["error"]
        assert (refused["field"], "year" in refused["message"]) == ("sort", True)
        unknown = client.get("/search?pipeline=note")
        assert (unknown.status_code, unknown.json()["error"]["hint"]) == (404, "did you mean notes?")


def test_the_whole_is_described(client: TestClient) -> None:
    """OpenAPI names every endpoint, with an example of what it takes or answers."""
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/search", "/facets", "/suggest", "/documents/{key}", "/similar/{key}", "/healthz"}
    for path, methods in paths.items():
        for method, described in methods.items():
            if path != "/healthz":
                assert described["responses"]["200"]["content"]["application/json"]["example"], (method, path)
                assert "ErrorAnswer" in str(described["responses"]["422"]), (method, path)
    examples = paths["/search"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    for name, example in examples.items():
        answer = client.post("/search", json=example["value"])
        # The memory has no vectors, and not all of the fields.
        assert answer.status_code == 200 or answer.json()["error"]["field"] in {"mode", "conditions.0.field"}, name


def test_what_the_page_shows_can_be_asked(client: TestClient) -> None:
    """Its requests and settings are such; the memory lacks some of the fields."""
    page = PAGE.read_text(encoding="utf-8")
    queries = re.findall(r"localhost:8080(/[^']*)'", page)
    (body,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert len(queries) >= 3
    answers = [client.get(query) for query in queries] + [client.post("/search", json=json.loads(body))]
    for answer in answers:
        assert answer.status_code == 200 or "there is no field" in answer.text or "embedding" in answer.text, (
            answer.text
        )
    (settings,) = re.findall(r"```yaml\nserve:\n(.*?)```", page, re.DOTALL)
    assert len(ServeSettings(**yaml.safe_load(settings.replace("${", "0123456789abcdef{"))).tokens) == 2
