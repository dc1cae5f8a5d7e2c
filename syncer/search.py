"""Searching the documents of a pipeline, from Python.

    from syncer.search import Mode, Request, Term, TermsFacet, open_searcher

    with open_searcher("syncer.yaml", "articles") as searcher:
        result = searcher.search(
            Request(
                "repair a puncture",
                conditions=(Term("tags", ("bicycle",)),),
                facets={"year": TermsFacet("year")},
                highlight=("body",),
            )
        )
        for hit in result.hits:
            print(hit.id, hit.score, dict(hit.ranks), hit.source["title"])

`open_async_searcher` is the same for an event loop. Both read what may be searched from the configuration and from the
source's catalogue, once; a model is loaded with the first text that it is needed for. What cannot be meant raises
`RequestInvalid`, whose `part` names what of the request; all other errors are in `syncer.core.error`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path

from syncer.adapters.clock import SystemClock
from syncer.app.api.query_embedding import QueryEmbedding
from syncer.app.settings import Settings
from syncer.app.wiring import Application
from syncer.core.error import RequestInvalid, SyncerError
from syncer.core.search.condition import Condition, Exists, Near, Not, OneOf, Prefix, Range, Term
from syncer.core.search.facet import Bucket, DateFacet, Facet, RangeFacet, TermsFacet
from syncer.core.search.fusion import Fusion
from syncer.core.search.request import Match, Mode, Request, Sort, Words
from syncer.core.search.result import Completion, Hit, Result
from syncer.ports import AsyncSearcher, Searcher

__all__ = [
    "AsyncSearcher",
    "Bucket",
    "Completion",
    "Condition",
    "DateFacet",
    "Exists",
    "Facet",
    "Fusion",
    "Hit",
    "Match",
    "Mode",
    "Near",
    "Not",
    "OneOf",
    "Prefix",
    "Range",
    "RangeFacet",
    "Request",
    "RequestInvalid",
    "Result",
    "Searcher",
    "Sort",
    "SyncerError",
    "Term",
    "TermsFacet",
    "Words",
    "open_async_searcher",
    "open_searcher",
]


@contextmanager
def open_searcher(
    configuration: str | Path,
    pipeline: str,
    *,
    env: Mapping[str, str] | None = None,
    cursor_secret: bytes | None = None,
) -> Iterator[Searcher]:
    """Lend what searches a pipeline's index, for any number of threads.

    env: what the configuration's `${NAME}` stand for; None: the process's environment. cursor_secret: signs cursors, so
    that processes that share it read each other's. Raises ConfigurationError and SourceUnavailable.
    """
    with closing(_application(configuration, env)) as application:
        (name,) = application.names([pipeline])
        yield application.searcher(name, cursor_secret)


@asynccontextmanager
async def open_async_searcher(
    configuration: str | Path,
    pipeline: str,
    *,
    env: Mapping[str, str] | None = None,
    cursor_secret: bytes | None = None,
) -> AsyncIterator[AsyncSearcher]:
    """Lend what searches a pipeline's index, for the running event loop; see `open_searcher`.

    The model works on a thread of its own: texts that wait for it go through it together.
    """
    async with AsyncExitStack() as stack:
        application = await asyncio.to_thread(_application, configuration, env)
        stack.push_async_callback(asyncio.to_thread, application.close)
        (name,) = application.names([pipeline])
        searched = await asyncio.to_thread(application.searched, name)
        embed = None
        if searched.vectors:
            queries = stack.enter_context(closing(QueryEmbedding(application.embedder.embed_queries)))
            embed = queries.embed
        client = application.async_elasticsearch()
        stack.push_async_callback(client.close)
        yield application.async_searcher(searched, client, embed, cursor_secret)


def _application(configuration: str | Path, env: Mapping[str, str] | None) -> Application:
    return Application(Settings.load(Path(configuration), os.environ if env is None else env), SystemClock())
