"""Nothing that a document, an address or a server says becomes markup."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from syncer.core.search.request import Request
from syncer.core.search.result import Result
from tests.app.web.web import EVIL, Hybrid, browsing, memory

_DOCUMENT: Mapping[str, Any] = {
    "title": f"Late {EVIL}",
    "body": f"commits {EVIL} late",
    "tags": [EVIL, 'quote" onmouseover="alert(3)'],
    "published_at": EVIL,
    "year": 1,
}


class _Elements(HTMLParser):
    """Reads a page as a browser would."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def prove_inert(page: str) -> None:
    """Fail where anything could run that is not the page's own script."""
    elements = _Elements(page).found
    scripts = [attributes for tag, attributes in elements if tag == "script"]
    assert [(each["type"], str(each["src"])[:16]) for each in scripts] == [("module", "/static/page.js?")]
    assert not {"img", "iframe", "object", "embed", "style", "base"} & {tag for tag, _ in elements}
    for tag, attributes in elements:
        assert not any(name.startswith("on") or name in {"style", "srcdoc"} for name in attributes), (tag, attributes)
        for name in ("href", "action", "src", "formaction", "data-suggest"):
            assert re.match(r"/(?!/)|#", attributes.get(name) or "/"), (tag, attributes)


@pytest.mark.parametrize("address", ["/", "/?q=late", "/?q=script", "/?similar=evil%7C%3Cb%3E", "/?q=nothing+like+it"])
def test_documents_are_text(address: str) -> None:
    """In headings, highlights, facets, values and fields."""
    with browsing({"articles": memory({"evil|<b>": _DOCUMENT, "2": _DOCUMENT})}) as client:
        answer = client.get(address)
    assert answer.status_code == 200
    prove_inert(answer.text)
    if "nothing" not in address:
        assert EVIL in unescape(answer.text)


@pytest.mark.parametrize(
    "address",
    [
        "/?q={}",
        "/?filter=tags:{}",
        "/?range=year:{}..2",
        "/?mode={}",
        "/?{}=1",
        "/?similar={}",
        "/?pipeline={}",
        "/?sort={}",
        "/?bounded={}&start=1",
        "/?filter={}",
    ],
)
def test_addresses_are_text(address: str) -> None:
    """Whether they are answered or refused."""
    for evil in (EVIL, '"><svg onload=alert(1)>', "javascript:alert(1)", "' onfocus='alert(1)"):
        with browsing() as client:
            answer = client.get(
                address.replace("{}", evil.replace("&", "%26").replace("#", "%23")), follow_redirects=True
            )
        prove_inert(answer.text)


def test_a_server_that_escapes_nothing_changes_nothing() -> None:
    """Highlights are taken apart before they are shown, and so is another spelling."""

    class Careless(Hybrid):
        async def search(self, request: Request) -> Result:
            found = await super().search(request)
            for hit in found.hits:
                dict.update(hit.highlights, {"body": [f"<mark>late</mark> {EVIL} <mark>{EVIL}</mark>"]})
            return Result(found.mode, found.hits, found.total, exact=True, did_you_mean=EVIL)

    with browsing(
        {"articles": Careless({"1": _DOCUMENT}, ["title", "body", "tags", "published_at", "year"])}
    ) as client:
        page = client.get("/?q=late+unmarked").text
    prove_inert(page)
    assert f"<mark>{EVIL}</mark>" in unescape(page)
    assert "Did you mean" in page


def test_every_page_forbids_scripts_of_others() -> None:
    """And styles, frames, and forms that lead elsewhere; errors too."""
    with browsing() as client:
        for address in ("/", "/status", "/?filter=x"):
            headers = client.get(address).headers
            policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
            assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"
            assert headers["Referrer-Policy"] == "no-referrer"


def test_files_are_those_that_are_named() -> None:
    """Kept by browsers for as long as they do not change; no path leads elsewhere."""
    with browsing() as client:
        page = client.get("/").text
        named = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
        assert len(named) == 3
        for address in named:
            answer = client.get(address)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["Cache-Control"]
        for path in ("/static/", "/static/base.html", "/static/..%2fpages.py", "/static/%2e%2e/pages.py"):
            assert client.get(path).status_code == 404
