"""An application with pages, on documents in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from syncer.adapters.clock import SystemClock
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.memory.searcher import MemorySearcher
from syncer.app.api.application import application
from syncer.app.pipeline_report import PipelineReport
from syncer.app.serve_settings import ServeSettings
from syncer.app.status_board import StatusBoard
from syncer.app.web.outline import outline
from syncer.app.web.pages import WebPages
from syncer.core.field import Field, VectorField
from syncer.core.search.request import Mode, Request
from syncer.core.search.result import Hit, Result
from syncer.ports import AsyncSearcher

FIELDS = (
    Field("title", "title", "text", keyword=True, autocomplete=True, boost=3),
    Field("body", "body", "text"),
    Field("tags", "tags", "keyword"),
    Field("published_at", "published_at", "date"),
    Field("year", "year", "integer"),
    Field("tenant_id", "tenant_id", "integer"),
)
#: More than two pages of them.
DOCUMENTS: Mapping[str, Mapping[str, Any]] = {
    str(number): {
        "title": f"Late commits, part {number}",
        "body": f"A row appears at its commit, number {number}",
        "tags": ["postgres"] if number % 3 else ["polling", "elasticsearch"],
        "published_at": f"{2022 + number % 3}-03-01",
        "year": 2022 + number % 3,
        "tenant_id": 7 + number % 2,
    }
    for number in range(1, 25)
}
Look = Callable[[], Mapping[str, PipelineReport]]
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def memory(documents: Mapping[str, Mapping[str, Any]] = DOCUMENTS) -> MemorySearcher:
    return MemorySearcher(documents, [field.name for field in FIELDS])


class Hybrid(MemorySearcher):
    """Says of each document that it was found by its words, and of the first by its meaning too."""

    async def search(self, request: Request) -> Result:
        asked = Request(**{name: getattr(request, name) for name in Request.__slots__} | {"mode": Mode.KEYWORD})
        found = await super().search(asked)
        hits = [
            Hit(hit.id, 0.25, hit.source, {**hit.ranks, **({"vector": 3} if number == 0 else {})}, hit.highlights)
            for number, hit in enumerate(found.hits)
        ]
        return Result(
            Mode.HYBRID,
            hits,
            found.total,
            exact=True,
            facets=found.facets,
            did_you_mean="late commits" if request.did_you_mean else None,
        )


def no_reports() -> Mapping[str, PipelineReport]:
    return {}


def web_application(
    searchers: Mapping[str, AsyncSearcher] | None = None,
    look: Look = no_reports,
    *,
    vectors: Sequence[VectorField] = (),
    patience_seconds: float = 30.0,
    **settings: Any,
) -> FastAPI:
    chosen: Mapping[str, AsyncSearcher] = {"articles": memory()} if searchers is None else searchers
    clock, serve = SystemClock(), ServeSettings(**settings)
    outlines = {name: outline(Searched(name, FIELDS, vectors)) for name in chosen}
    board = StatusBoard(look, clock, fresh_seconds=0, patience_seconds=patience_seconds)
    pages = WebPages(outlines, board, serve, clock)
    return application(lambda: nullcontext(chosen), serve, clock, pages)


@contextmanager
def browsing(
    searchers: Mapping[str, AsyncSearcher] | None = None, look: Look = no_reports, **settings: Any
) -> Iterator[TestClient]:
    """Lend a client of an application that runs."""
    app = web_application(searchers, look, **settings)
    with TestClient(app, "http://127.0.0.1:8080", follow_redirects=False) as client:
        yield client


def text_of(html: str) -> str:
    """Return what somebody reads."""
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("<body>")[2]).split())


def headings(html: str) -> list[str]:
    """Return what the documents of a page are called."""
    return [
        text_of(f"<body>{found}").replace(" ,", ",") for found in re.findall(r'<li class="hit">\s*<h2>(.*?)</h2>', html)
    ]
