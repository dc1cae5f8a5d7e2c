"""What `syncer serve` searches with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from syncer.adapters.elastic.search.conditions import filters
from syncer.adapters.elastic.search.searched import Searched
from syncer.app.api.application import Searchers
from syncer.app.api.query_embedding import QueryEmbedding
from syncer.app.api.token import Tokens
from syncer.app.wiring import Application
from syncer.core.error import ConfigurationError, EmbedderUnavailable, RequestInvalid
from syncer.ports import AsyncSearcher


def searchers(application: Application, searched: Mapping[str, Searched]) -> Searchers:
    """Return what opens the searchers of pipelines; loads the model where one is needed.

    Raises ConfigurationError where a token is held to a field that its pipelines do not have.
    """
    settings = application.settings.serve
    _prove_filters(Tokens(settings.tokens), searched)
    embeds = any(of.vectors for of in searched.values())
    if embeds:
        try:
            # The first who searches must not wait for that.
            application.embedder.load()
        except EmbedderUnavailable as error:
            structlog.get_logger().warning("embedding is unavailable", message=error.message, hint=error.hint)
    secret = settings.cursor_secret.get_secret_value().encode() if settings.cursor_secret else None

    @asynccontextmanager
    async def opened() -> AsyncIterator[Mapping[str, AsyncSearcher]]:
        queries = QueryEmbedding(application.embedder.embed_queries) if embeds else None
        client = application.async_elasticsearch()
        try:
            yield {
                name: application.async_searcher(of, client, queries.embed if queries and of.vectors else None, secret)
                for name, of in searched.items()
            }
        finally:
            await client.close()
            if queries:
                queries.close()

    return opened


def _prove_filters(tokens: Tokens, searched: Mapping[str, Searched]) -> None:
    """Raise ConfigurationError where a token's conditions cannot be met: each of its requests would be refused."""
    for setting, access in tokens.by_setting.items():
        for name, of in searched.items():
            if access.pipelines is not None and name not in access.pipelines:
                continue
            try:
                filters(access.conditions, of.declared)
            except RequestInvalid as error:
                raise ConfigurationError(
                    f"{setting}.filter cannot be applied to pipeline {name}: {error.message}",
                    hint=error.hint or "name fields that all pipelines of the token have",
                ) from error
