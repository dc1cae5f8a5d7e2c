"""The search page, without a browser: it works by forms and links alone."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from syncer.core.error import EmbedderUnavailable, SinkUnavailable
from syncer.core.field import VectorField
from syncer.core.search.request import Request
from syncer.core.search.result import Result
from tests.app.web.web import DOCUMENTS, Hybrid, browsing, headings, memory, text_of

VECTOR = VectorField("vector", "{title}", 4)


def link(page: str, label: str) -> str:
    """Return where the first link with this in its text leads."""
    for address, text in re.findall(r'<a\b[^>]*?href="([^"]*)"[^>]*>(.*?)</a>', page, re.DOTALL):
        if label in " ".join(re.sub(r"<[^>]*>", " ", text).split()):
            return html.unescape(address)
    raise AssertionError(f"no link {label!r}")


def test_everything_is_shown_until_something_is_looked_for() -> None:
    """With how many there are, and what they can be narrowed by."""
    with browsing() as client:
        page = client.get("/").text
    assert len(headings(page)) == 10
    assert "24 documents in" in text_of(page)
    assert re.search(r"postgres\s+16", text_of(page))


def test_words_are_found_and_marked() -> None:
    """Where they stand; by a link that somebody can pass on."""
    with browsing() as client:
        page = client.get("/?q=number+7").text
    assert headings(page)[0] == "Late commits, part 7"
    assert "<mark>number</mark> <mark>7</mark>" in page
    assert 'value="number 7"' in page


def test_a_facet_narrows_and_another_choice_of_it_widens() -> None:
    """Of one field either value, as in the API."""
    with browsing() as client:
        polling = client.get(link(client.get("/?q=late").text, "polling 8")).text
        assert "8 documents" in text_of(polling)
        both = client.get(link(polling, "postgres 16")).text
        assert "24 documents" in text_of(both)
        assert "8 documents" in text_of(client.get(link(both, "tags: postgres")).text)
        assert "24 documents" in text_of(client.get(link(both, "Remove all")).text)


def test_bounds_are_given_by_a_form_alone() -> None:
    """It is answered with the address that has them, beside what was chosen before."""
    with browsing() as client:
        sent = client.get("/?q=late&filter=tags:postgres&bounded=year&start=2023&end=2024")
        assert sent.status_code == 303
        assert parse_qs(urlsplit(sent.headers["location"]).query) == {
            "q": ["late"],
            "filter": ["tags:postgres"],
            "range": ["year:2023..2024"],
        }
        page = client.get(sent.headers["location"]).text
        assert "year from 2023 before 2024" in text_of(page)
        assert "8 documents" in text_of(page)
        assert client.get("/?bounded=year&range=year:2023..2024").headers["location"] == "/"


def test_pages_follow_one_another() -> None:
    """Each document is on one of them."""
    with browsing() as client:
        first = client.get("/?q=late").text
        second = client.get(link(first, "Next")).text
        third = client.get(link(second, "Next")).text
        assert {*headings(first), *headings(second), *headings(third)} == {d["title"] for d in DOCUMENTS.values()}
        assert headings(client.get(link(third, "Previous")).text) == headings(second)
        beyond = client.get("/?q=late&page=9").text
        assert headings(client.get(link(beyond, "Go to the first page")).text) == headings(first)


def test_the_newest_can_come_first() -> None:
    """Of what is found by its words."""
    with browsing() as client:
        newest = client.get(link(client.get("/?q=late").text, "newest")).text
    assert re.findall(r'title="published_at">(\d{4})', newest) == ["2024"] * 8 + ["2023"] * 2


def test_documents_like_one_are_a_page() -> None:
    """Called by that document's name; one that is not there is told."""
    with browsing() as client:
        page = client.get(link(client.get("/?q=number+7").text, "Similar")).text
        assert "Similar to Late commits, part 7" in text_of(page)
        assert "Late commits, part 7" not in headings(page)
        missing = client.get("/?similar=99")
        assert missing.status_code == 404
        assert "there is no document '99'" in html.unescape(missing.text)


def test_a_hit_tells_why_it_is_there() -> None:
    """Its rank in each ranking, and what each gave to the score: 1/(5 + rank)."""
    with browsing({"articles": Hybrid(DOCUMENTS, list(memory()._fields))}, vectors=[VECTOR]) as client:
        page = client.get("/?q=late").text
    assert re.findall(r'<summary title="Why this result">(.*?)</summary>', page)[:2] == [
        "keyword #1 · vector #3",
        "keyword #2 · vector –",
    ]
    first = text_of("<body>" + page.partition('<details class="why">')[2].partition("</details>")[0])
    assert "keyword 1 0.1667 vector 3 0.1250 fused score 0.2500" in first


def test_the_mode_is_one_of_those_that_the_pipeline_has() -> None:
    """One alone is no choice; another spelling keeps it."""
    with browsing() as client:
        assert 'name="mode"' not in client.get("/?q=late").text
    with browsing({"articles": Hybrid(DOCUMENTS, list(memory()._fields))}, vectors=[VECTOR]) as client:
        page = client.get("/?q=laet&mode=hybrid").text
        assert re.findall(r'name="mode" value="(\w+)"( checked)?', page) == [
            ("hybrid", " checked"),
            ("keyword", ""),
            ("vector", ""),
        ]
        assert link(page, "late commits") == "/?q=late+commits&mode=hybrid"


def test_each_pipeline_has_its_page() -> None:
    """All are named on each of them; what is typed is kept."""
    other = memory({"1": {"title": "A note"}})
    with browsing({"articles": memory(), "notes": other}) as client:
        page = client.get("/?q=late").text
        assert headings(page)[0].startswith("Late commits")
        assert headings(client.get(link(page, "notes").replace("q=late", "q=note")).text) == ["A note"]
        assert client.get("/?pipeline=none").status_code == 404


def test_nothing_found_says_what_else_to_try() -> None:
    """Without filters, or in another way."""
    with browsing() as client:
        page = client.get("/?q=nowhere&filter=tags:postgres").text
    assert "Nothing was found." in page
    assert link(page, "Search without filters") == "/?q=nowhere"


@pytest.mark.parametrize(
    ("address", "field", "said"),
    [
        ("/?q=late&filter=nothing:1", "filter", "there is no field"),
        ("/?q=late&filter=tags", "filter", "is no condition"),
        ("/?q=late&range=year:5", "range", "is no range"),
        ("/?q=late&mode=guess", "mode", "hybrid"),
        ("/?q=late&page=0", "page", "greater than"),
        ("/?q=late&nothing=1", "nothing", "is not known"),
        ("/?q=late&sort=nothing", "sort", "there is no field"),
    ],
)
def test_what_cannot_be_meant_is_told_on_a_page(address: str, field: str, said: str) -> None:
    """With what is wrong, and with what was typed, so that nobody types it again."""
    with browsing() as client:
        answer = client.get(address)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
    assert f"<code>{field}</code>" in answer.text
    assert said in answer.text
    assert 'value="late"' in answer.text
    assert answer.headers["X-Request-ID"] in answer.text


def test_elasticsearch_that_is_away_is_told_on_a_page() -> None:
    """With the same status as the API has, and with a way to try again."""

    class Away(Hybrid):
        async def search(self, request: Request) -> Result:
            raise SinkUnavailable("connection refused to secret-host", retry_after=7)

    with browsing({"articles": Away(DOCUMENTS, [])}) as client:
        answer = client.get("/?q=late&filter=tags:postgres")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "7"
        assert "Search is away for the moment" in answer.text
        assert "secret-host" not in answer.text
        assert link(answer.text, "Try again") == "/?q=late&filter=tags:postgres"


def test_words_can_still_be_searched_while_the_model_is_away() -> None:
    """The page says so."""

    class Mute(Hybrid):
        async def search(self, request: Request) -> Result:
            raise EmbedderUnavailable("gone")

    with browsing({"articles": Mute(DOCUMENTS, [])}, vectors=[VECTOR]) as client:
        assert link(client.get("/?q=late").text, "Search by words") == "/?q=late&mode=keyword"


def test_programs_are_answered_as_before() -> None:
    """Errors outside the pages stay JSON, and the pages are no part of OpenAPI."""
    with browsing() as client:
        assert client.get("/search?size=-1").json()["error"]["field"] == "size"
        assert client.get("/elsewhere").json()["error"]["type"] == "not_found"
        assert not {"/", "/status", "/session"} & client.get("/openapi.json").json()["paths"].keys()
