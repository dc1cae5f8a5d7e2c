"""Tokens at a browser: the pages show what the API would, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.app.web.web import browsing, headings, memory, text_of

SEVEN, ALL, NOTES = ("seven" * 4, 'al;l"' * 4, "notes" * 4)
TOKENS = [
    {"token": SEVEN, "pipelines": ["articles"], "filter": {"tenant_id": 7}},
    {"token": ALL},
    {"token": NOTES, "pipelines": ["notes"]},
]


@pytest.fixture(name="client")
def _client() -> Iterator[TestClient]:
    with browsing({"articles": memory(), "notes": memory({"1": {"title": "A note"}})}, tokens=TOKENS) as client:
        yield client


def sign_in(client: TestClient, token: str, then: str = "/") -> str:
    """Give a token, and return where that leads."""
    answer = client.post("/session", data={"token": token, "then": then})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_without_a_token_nothing_is_shown_but_the_question(client: TestClient) -> None:
    """With the address that was asked for, to go on with."""
    for address in ("/?q=late&filter=tags:postgres", "/status"):
        answer = client.get(address)
        assert answer.status_code == 401
        assert "Late commits" not in answer.text
        assert f'name="then" value="{address.replace("&", "&amp;")}"' in answer.text


def test_a_token_is_kept_where_no_script_and_no_other_site_has_it(client: TestClient) -> None:
    """Until the browser is closed; over TLS it is never sent without."""
    answer = client.post("/session", data={"token": ALL, "then": "/?q=late"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?q=late")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "expires" not in cookie.lower()
    assert "max-age" not in cookie.lower()
    assert "Secure" not in cookie
    assert headings(client.get("/?q=late").text)
    behind = client.post("/session", data={"token": ALL}, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in behind.headers["set-cookie"]


def test_a_wrong_token_is_not_kept(client: TestClient) -> None:
    """And one that is kept, but known no more, is asked for again."""
    answer = client.post("/session", data={"token": "x" * 20})
    assert answer.status_code == 401
    assert "That token is not known." in answer.text
    assert "set-cookie" not in answer.headers
    for kept in ("x", "%%%", "eHh4eHh4eHh4eHh4eHh4eA=="):
        assert client.get("/", headers={"Cookie": f"syncer_token={kept}"}).status_code == 401


def test_signing_out_forgets_it(client: TestClient) -> None:
    sign_in(client, ALL)
    assert client.post("/session/end").headers["location"] == "/"
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    "then", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "", "/\nx"]
)
def test_nobody_is_led_elsewhere(client: TestClient, then: str) -> None:
    """By a link to the question."""
    assert sign_in(client, ALL, then) == "/"


def test_another_site_cannot_sign_somebody_in(client: TestClient) -> None:
    """Or out: he would search as somebody else."""
    for address in ("/session", "/session/end"):
        answer = client.post(address, data={"token": ALL}, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_a_filter_holds_on_every_page(client: TestClient) -> None:
    """Whatever the address asks for; what would tell of others is not asked at all."""
    sign_in(client, SEVEN)
    for address in ("/", "/?q=late", "/?filter=tenant_id:8&filter=tenant_id:7", "/?similar=2", "/?sort=-year"):
        page = client.get(address).text
        assert {int(found) % 2 for found in re.findall(r"part (\d+)", " ".join(headings(page)))} == {0}, address
    assert "12 documents" in text_of(client.get("/").text)
    assert "Nothing was found." in client.get("/?filter=tenant_id:8").text
    assert client.get("/?similar=1").status_code == 404
    assert 'aria-label="tenant_id from"' not in client.get("/").text
    assert client.get("/?q=laet").status_code == 200


def test_a_filter_holds_for_the_api_as_well(client: TestClient) -> None:
    """Which the page's script asks for completions, with the same token."""
    sign_in(client, SEVEN)
    found = client.get("/suggest?pipeline=articles&q=late&size=50").json()["completions"]
    assert {int(each["id"]) % 2 for each in found} == {0}
    assert client.get("/documents/1?pipeline=articles").status_code == 404


def test_a_token_opens_its_pipelines_alone(client: TestClient) -> None:
    sign_in(client, NOTES)
    assert headings(client.get("/").text) == ["A note"]
    assert "articles" not in client.get("/").text
    assert client.get("/?pipeline=articles").status_code == 403


def test_the_status_is_for_a_token_without_filter(client: TestClient) -> None:
    """Causes of dead letters quote documents."""
    sign_in(client, SEVEN)
    assert client.get("/status").status_code == 403
    assert 'href="/status"' not in client.get("/").text
    sign_in(client, ALL)
    assert client.get("/status").status_code == 200


def test_where_anybody_may_search_nobody_sees_the_status() -> None:
    with browsing(public=True) as client:
        assert client.get("/").status_code == 200
        assert client.get("/status").status_code == 403


def test_a_page_of_another_name_is_refused() -> None:
    """Without tokens; as the API is."""
    with browsing() as client:
        answer = client.get("/", headers={"Host": "rebound.example"})
        assert answer.status_code == 403
        assert "Late commits" not in answer.text
