"""What the tests of the adapter share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.sink import ElasticSink
from tests.adapters.elastic.scripted import Script, scripted


@pytest.fixture
def scripted_sink() -> Iterator[Any]:
    """Call it with a script, a size of chunks and options of the client: a sink that talks to it."""
    with ExitStack() as stack:

        def make(script: Script, chunk_bytes_max: int = 8 * 2**20, **options: Any) -> ElasticSink:
            url = stack.enter_context(scripted(script))
            # As it comes, a client sends again what fails.
            client = stack.enter_context(Elasticsearch(url, **options))
            return ElasticSink(client, "w", chunk_bytes_max=chunk_bytes_max)

        yield make
