"""An application on documents in memory, and requests to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from fastapi.testclient import TestClient

from syncer.adapters.clock import SystemClock
from syncer.adapters.memory.searcher import MemorySearcher
from syncer.app.api.application import application
from syncer.app.serve_settings import ServeSettings
from syncer.ports import AsyncSearcher

FIELDS = ("title", "body", "tags", "year", "published_at", "tenant_id", "place")

DOCUMENTS: Mapping[str, Mapping[str, Any]] = {
    "1": {
        "title": "Late commits",
        "body": "A row appears at its commit",
        "tags": ["postgres", "polling"],
        "year": 2024,
        "published_at": "2024-03-01",
        "tenant_id": 7,
        "place": {"lat": 52.5, "lon": 13.4},
    },
    "2": {
        "title": "Late deliveries",
        "body": "A parcel & its <route>",
        "tags": ["post"],
        "year": 2023,
        "published_at": "2023-11-20",
        "tenant_id": 7,
    },
    "3": {
        "title": "Late secrets",
        "body": "Another tenant's commits",
        "tags": ["postgres", "hidden"],
        "year": 2024,
        "published_at": "2024-05-02",
        "tenant_id": 8,
    },
    "a/b|c": {"title": "Composite", "tags": [], "year": 2020, "published_at": "2020-01-01", "tenant_id": 7},
}


def memory(fields: tuple[str, ...] = FIELDS) -> MemorySearcher:
    return MemorySearcher(DOCUMENTS, fields, secret=b"secret")


@contextmanager
def serving(
    searchers: Mapping[str, AsyncSearcher] | None = None, *, raises: bool = True, **settings: Any
) -> Iterator[TestClient]:
    """Lend a client of an application that runs. raises: what ends in an answer 500 is raised here too."""
    chosen = {"articles": memory()} if searchers is None else searchers
    app = application(lambda: nullcontext(chosen), ServeSettings(**settings), SystemClock())
    with TestClient(app, "http://127.0.0.1:8080", raise_server_exceptions=raises) as client:
        yield client


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.json()["hits"]]
