"""The vectors of queries."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from syncer.app.api.query_embedding import QueryEmbedding
from syncer.core.error import EmbedderUnavailable, RequestInvalid
from syncer.core.outcome import Rejected


class Model:
    """Notes its passes; holds the first one until it is let go."""

    def __init__(self) -> None:
        self.passes: list[list[str]] = []
        self.threads: set[str] = set()
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.error: Exception | None = None

    def embed(self, texts: Sequence[str]) -> Sequence[bytes | Rejected]:
        self.passes.append(list(texts))
        self.threads.add(threading.current_thread().name)
        self.begun.set()
        assert self.let_go.wait(30)
        if self.error:
            raise self.error
        return [Rejected("no_vector", "no word is known") if text == "?" else text.encode() for text in texts]


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


async def begun(model: Model) -> None:
    assert await asyncio.to_thread(model.begun.wait, 30)


def test_queries_that_wait_are_embedded_together() -> None:
    """The first one does not wait for others; those that come meanwhile share the next pass, on one thread."""
    model = Model()

    async def scenario() -> None:
        queries = QueryEmbedding(model.embed)
        first = asyncio.create_task(queries.embed("a"))
        await begun(model)
        others = [asyncio.create_task(queries.embed(text)) for text in ("b", "c", "b", "a", "d")]
        await asyncio.sleep(0)
        model.let_go.set()
        assert await first == b"a"
        assert await asyncio.gather(*others) == [b"b", b"c", b"b", b"a", b"d"]
        queries.close()

    run(scenario())
    assert model.passes == [["a"], ["b", "c", "d"]]
    assert len(model.threads) == 1
    assert threading.main_thread().name not in model.threads


def test_what_was_embedded_lately_is_not_embedded_again() -> None:
    """Of the cache those go first that nobody asked for longest."""
    model = Model()
    model.let_go.set()

    async def scenario() -> None:
        queries = QueryEmbedding(model.embed, cached=2)
        for text in ("a", "b", "a", "c", "a", "b"):
            assert await queries.embed(text) == text.encode()
        queries.close()

    run(scenario())
    assert model.passes == [["a"], ["b"], ["c"], ["b"]]


def test_only_so_many_wait() -> None:
    """The next is told to come again: waiting for seconds helps nobody."""
    model = Model()

    async def scenario() -> None:
        queries = QueryEmbedding(model.embed, waiting=2)
        tasks = [asyncio.create_task(queries.embed("a"))]
        await begun(model)
        tasks += [asyncio.create_task(queries.embed(text)) for text in ("b", "c", "c")]
        await asyncio.sleep(0)
        with pytest.raises(EmbedderUnavailable) as refused:
            await queries.embed("d")
        assert refused.value.retry_after
        model.let_go.set()
        assert await asyncio.gather(*tasks) == [b"a", b"b", b"c", b"c"]
        queries.close()

    run(scenario())


def test_a_pass_is_as_long_as_pays() -> None:
    """More texts in it would not be faster each."""
    model = Model()

    async def scenario() -> None:
        queries = QueryEmbedding(model.embed)
        first = asyncio.create_task(queries.embed("first"))
        await begun(model)
        others = [asyncio.create_task(queries.embed(str(number))) for number in range(40)]
        await asyncio.sleep(0)
        model.let_go.set()
        await asyncio.gather(first, *others)
        queries.close()

    run(scenario())
    assert [len(texts) for texts in model.passes] == [1, 16, 16, 8]


def test_a_text_without_a_vector_is_refused_alone() -> None:
    """It can be searched for by its words."""
    model = Model()
    model.let_go.set()

    async def scenario() -> None:
        queries = QueryEmbedding(model.embed)
        found = await asyncio.gather(queries.embed("?"), queries.embed("a"), return_exceptions=True)
        assert isinstance(found[0], RequestInvalid)
        assert (found[0].part, found[1]) == ("text", b"a")
        queries.close()

    run(scenario())


def test_a_failure_reaches_all_who_wait_and_nobody_after() -> None:
    """The next pass begins anew."""
    model = Model()
    model.let_go.set()
    model.error = EmbedderUnavailable("the server does not answer")

    async def scenario() -> None:
        queries = QueryEmbedding(model.embed)
        found = await asyncio.gather(queries.embed("a"), queries.embed("b"), return_exceptions=True)
        assert [type(each) for each in found] == [EmbedderUnavailable] * 2
        model.error = None
        assert await queries.embed("a") == b"a"
        queries.close()

    run(scenario())


def test_who_gives_up_takes_nothing_from_others() -> None:
    """The text is embedded for those who still wait for it."""
    model = Model()

    async def scenario() -> None:
        queries = QueryEmbedding(model.embed)
        impatient, patient = (asyncio.create_task(queries.embed("a")) for _ in range(2))
        await begun(model)
        impatient.cancel()
        model.let_go.set()
        assert await patient == b"a"
        assert impatient.cancelled()
        queries.close()

    run(scenario())


def test_who_waits_at_the_end_is_told() -> None:
    """Not cancelled, which he would take for his own end; and nobody is taken any more."""
    model = Model()

    async def scenario() -> None:
        queries = QueryEmbedding(model.embed)
        first = asyncio.create_task(queries.embed("a"))
        await begun(model)
        second = asyncio.create_task(queries.embed("b"))
        await asyncio.sleep(0)
        queries.close()
        found = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(each) for each in found] == [EmbedderUnavailable] * 2
        with pytest.raises(EmbedderUnavailable):
            await queries.embed("c")
        model.let_go.set()

    run(scenario())
    assert model.passes == [["a"]]


def test_a_model_that_returns_too_few_vectors_is_told() -> None:
    """To whoever asked, and the next pass begins anew."""

    async def scenario() -> None:
        queries = QueryEmbedding(lambda _texts: [])
        for _ in range(2):
            with pytest.raises(ValueError, match="zip"):
                await queries.embed("a")
        queries.close()

    run(scenario())
