"""A pipeline of which a test sees every port call before and after it happens, and may do otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from syncer.engine.embed import Embedding
from syncer.engine.pipeline import Pipeline, Reader, Sides


@dataclass(frozen=True, slots=True)
class Call:
    """A port call that is about to happen; calling it lets it happen, at once or later."""

    #: Port and method: `sink.write`.
    name: str
    method: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]

    def __call__(self) -> Any:
        return self.method(*self.arguments, **self.keywords)


#: Gets each call in place of the port; what it returns or raises is the port's answer.
Around = Callable[[Call], Any]

#: Methods that hand out another port.
HANDS_OUT = {"store.acquire": "lease", "store.backfill": "progress"}
#: Called on threads of their own: who intercepted them could not tell when.
_BESIDE = {"digests.pages", "digests.cancel", "hits.pages", "hits.strangers"}


class _Intercepted:
    """Any port. By name, so that a method that a port gets later is intercepted too."""

    def __init__(self, name: str, port: Any, around: Around) -> None:
        self._name = name
        self._port = port
        self._around = around

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        name = f"{self._name}.{method}"
        if not callable(found) or name in _BESIDE:
            return found

        def call(*arguments: Any, **keywords: Any) -> Any:
            # A port does not know that others are intercepted too.
            bare = tuple(each._port if isinstance(each, _Intercepted) else each for each in arguments)
            answer = self._around(Call(name, found, bare, keywords))
            return _Intercepted(HANDS_OUT[name], answer, self._around) if name in HANDS_OUT else answer

        return call


def intercepted(pipeline: Pipeline, around: Around) -> Pipeline:
    """Return the same pipeline with every port but the clock intercepted."""

    def port(name: str, inner: Any) -> Any:
        return _Intercepted(name, inner, around)

    def reader() -> Reader:
        inner = pipeline.reader()
        return replace(
            inner,
            source=port("source", inner.source),
            feeds=[port("feed", feed) for feed in inner.feeds],
            glance=port("glance", inner.glance),
            keys=port("keys", inner.keys),
            documents=port("documents", inner.documents),
            related=[port("feed", feed) for feed in inner.related],
            tombstones=[port("tombstones", each) for each in inner.tombstones],
        )

    def sides(index: str) -> Sides:
        inner = pipeline.sides(index)
        return replace(
            inner,
            source=port("digests", inner.source),
            index=port("hits", inner.index),
            documents=port("documents", inner.documents),
        )

    embedding = pipeline.embedding
    return replace(
        pipeline,
        reader=reader,
        embedding=embedding
        and Embedding(port("embedder", embedding._embedder), port("cache", embedding._cache), embedding._chunks),
        sink=lambda index: port("sink", pipeline.sink(index)),
        sides=sides,
        indices=port("indices", pipeline.indices),
        store=port("store", pipeline.store),
        lifecycle=pipeline.lifecycle and port("lifecycle", pipeline.lifecycle),
    )
