"""`/documents`, `/similar`, `/suggest` and `/healthz`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.app.api.api import DOCUMENTS, ids, serving


@pytest.fixture(name="client")
def _client() -> Iterator[TestClient]:
    with serving() as client:
        yield client


def test_a_document_is_found_by_its_key(client: TestClient) -> None:
    """A key may hold anything: it is percent-encoded."""
    assert client.get("/documents/1").json() == {"id": "1", "source": DOCUMENTS["1"]}
    assert client.get("/documents/a%2Fb%7Cc").json()["source"]["title"] == "Composite"


def test_a_document_that_is_not_there_is_told_so(client: TestClient) -> None:
    """It is not there, or does not meet the conditions: the answer is the same."""
    missing, excluded = client.get("/documents/99"), client.get("/documents/1", params={"filter": "tenant_id:8"})
    for answer, key in ((missing, "99"), (excluded, "1")):
        assert answer.status_code == 404
        assert answer.json()["error"] == {
            "type": "not_found",
            "message": f"there is no document '{key}'",
            "field": "key",
            "hint": None,
        }
    assert client.get("/similar/99").status_code == 404


def test_similar_documents_leave_out_itself(client: TestClient) -> None:
    """As many as asked for, of those that meet the conditions."""
    found = ids(client.get("/similar/1", params={"size": 2}))
    assert len(found) == 2
    assert "1" not in found
    assert ids(client.get("/similar/1", params={"filter": "tenant_id:7", "range": "year:2021.."})) == ["2"]


def test_a_text_is_completed(client: TestClient) -> None:
    """With the document it is of."""
    found = client.get("/suggest", params={"q": "late d"}).json()["completions"]
    assert found == [{"id": "2", "field": "title", "text": "Late deliveries"}]
    assert client.get("/suggest", params={"q": "late", "size": 2}).json()["completions"][1:] != []
    assert client.get("/suggest", params={"q": "late", "filter": "tenant_id:8"}).json()["completions"][0]["id"] == "3"
    assert client.get("/suggest", params={"q": ""}).json()["error"]["field"] == "q"


def test_the_process_answers_for_itself(client: TestClient) -> None:
    """A probe asks for no more."""
    assert client.get("/healthz").json() == {"status": "ok"}
