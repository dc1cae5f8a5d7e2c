"""Searchers for the tests: each test of a search runs on both drivers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Protocol
from uuid import uuid4

import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch

from syncer.adapters.elastic.client import ElasticConnection, connect, connect_async
from syncer.adapters.elastic.search.async_searcher import AsyncElasticSearcher
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.elastic.search.searcher import ElasticSearcher
from syncer.adapters.memory.clock import MemoryClock
from syncer.core.search.condition import Condition
from syncer.core.search.request import Request
from syncer.core.search.result import Completion, Result
from syncer.ports import Searcher
from tests.adapters.elastic.search.library import direction, filled
from tests.conftest import Elastic

Embed = Callable[[str], bytes]


class Open(Protocol):
    """Makes a searcher of one of the drivers."""

    def __call__(
        self, searched: Searched, embed: Embed | None = direction, *, secret: bytes = b"secret", url: str | None = None
    ) -> Searcher: ...


class OnLoop:
    """An `AsyncSearcher` for tests that do not wait themselves."""

    def __init__(self, loop: asyncio.AbstractEventLoop, searcher: AsyncElasticSearcher) -> None:
        self._wait = loop.run_until_complete
        self._searcher = searcher

    def search(self, request: Request) -> Result:
        return self._wait(self._searcher.search(request))

    def suggest(
        self, text: str, *, field: str | None = None, size: int = 8, conditions: Sequence[Condition] = ()
    ) -> Sequence[Completion]:
        return self._wait(self._searcher.suggest(text, field=field, size=size, conditions=conditions))

    def similar(self, id: str, *, size: int = 10, conditions: Sequence[Condition] = ()) -> Result | None:
        return self._wait(self._searcher.similar(id, size=size, conditions=conditions))

    def document(self, id: str, *, conditions: Sequence[Condition] = ()) -> Mapping[str, Any] | None:
        return self._wait(self._searcher.document(id, conditions=conditions))


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture(params=["sync", "async"])
def open_searcher(request: pytest.FixtureRequest, elastic: Elastic, clock: MemoryClock) -> Iterator[Open]:
    """Call it with what is searched."""
    with ExitStack() as stack:
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)

        def made(
            searched: Searched, embed: Embed | None = direction, *, secret: bytes = b"secret", url: str | None = None
        ) -> Searcher:
            connection = ElasticConnection(
                (url or elastic.url,), username=elastic.username, password=elastic.password, ca_certs=elastic.ca_certs
            )
            if request.param == "sync":
                client: Elasticsearch = stack.enter_context(connect(connection))
                return ElasticSearcher(client, searched, embed, clock, secret)
            later: AsyncElasticsearch = connect_async(connection)
            stack.callback(lambda: loop.run_until_complete(later.close()))
            return OnLoop(loop, AsyncElasticSearcher(later, searched, embed and _awaited(embed), clock, secret))

        yield made


def _awaited(embed: Embed) -> Callable[[str], Coroutine[Any, Any, bytes]]:
    async def embedded(text: str) -> bytes:
        return embed(text)

    return embedded


@pytest.fixture(scope="package")
def searched(elastic: Elastic) -> Iterator[Searched]:
    """The documents of `library`, which no test changes."""
    prefix = f"syncer-test-{uuid4().hex[:12]}"
    yield filled(elastic, prefix)
    elastic.client.indices.delete(index=f"{prefix}-1")


@pytest.fixture
def searcher(open_searcher: Open, searched: Searched) -> Searcher:
    return open_searcher(searched)
