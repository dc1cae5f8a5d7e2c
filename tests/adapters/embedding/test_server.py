"""Models behind HTTP, on a server that says what a test tells it to."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from syncer.adapters.embedding.server import Server, ServerEmbedder
from syncer.adapters.memory.clock import MemoryClock
from syncer.core.error import ConfigurationError, CredentialsRefused, EmbedderUnavailable, FatalError
from syncer.core.outcome import Rejected
from tests.adapters.elastic.scripted import Answer, Request, scripted

KEY = "a-secret-key"
TEI = "/embed"
OPENAI = "/v1/embeddings"


def texts_of(request: Request) -> list[str]:
    body = json.loads(request.body)
    return list(body["inputs"] if request.path == TEI else body["input"])


def vector_of(text: str) -> list[float]:
    return [3.0, 4.0, float(len(text))]


def answered(request: Request, vectors: Sequence[Any]) -> Answer:
    """Return vectors as a server of that address does: Text Embeddings Inference in order, OpenAI's with numbers."""
    if request.path == TEI:
        return Answer(200, list(vectors))
    data = [{"object": "embedding", "index": number, "embedding": vector} for number, vector in enumerate(vectors)]
    return Answer(200, {"object": "list", "data": data[::-1], "usage": {"total_tokens": 1}})


def well(request: Request) -> Answer:
    return answered(request, [vector_of(text) for text in texts_of(request)])


class Kept:
    """Answers as a function does, and keeps the requests."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.requests: list[Request] = []
        self._answer = answer

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        return self._answer(request)

    @property
    def texts(self) -> list[list[str]]:
        return [texts_of(request) for request in self.requests]


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def embedder(clock: MemoryClock) -> Iterator[Callable[..., ServerEmbedder]]:
    """Returns an embedder on a server that gives such answers."""
    servers: list[Any] = []

    def made(answer: Callable[[Request], Answer], path: str = TEI, request_texts: int = 32, **options: Any) -> Any:
        server = scripted(answer)
        servers.append(server)
        options = {"dims": 3, "random": lambda: 0.0, **options}
        at = Server(server.__enter__() + path, "a-model", KEY, timeout_seconds=5, request_texts=request_texts)
        return ServerEmbedder(at, clock=clock, **options)

    yield made
    for server in servers:
        server.__exit__(None, None, None)


def numbers(vector: bytes | Rejected) -> Sequence[float]:
    assert isinstance(vector, bytes)
    return struct.unpack(f"<{len(vector) // 4}f", vector)


@pytest.mark.parametrize("path", [TEI, OPENAI])
def test_vectors_come_in_the_order_of_the_texts(path: str, embedder: Callable[..., ServerEmbedder]) -> None:
    """Of length one, whatever the server makes; the key goes along, and each kind of text has its prompt."""
    kept = Kept(well)
    model = embedder(kept, path, query="query: ", passage="passage: ")
    one, other = (numbers(vector) for vector in model.embed(["a", "a longer text"]).vectors)
    assert math.hypot(*one) == pytest.approx(1)
    assert other[2] / other[0] == pytest.approx(len("passage: a longer text") / 3)
    assert numbers(model.embed_query("a"))[2] / numbers(model.embed_query("a"))[0] == pytest.approx(len("query: a") / 3)
    assert kept.texts[0] == ["passage: a", "passage: a longer text"]
    assert {request.headers["Authorization"] for request in kept.requests} == {f"Bearer {KEY}"}
    assert ("truncate" if path == TEI else "model") in json.loads(kept.requests[0].body)


def test_a_model_is_known_by_what_tells_its_vectors_apart(embedder: Callable[..., ServerEmbedder]) -> None:
    """Not by where it is served, nor by the prompt of queries; and nobody is asked whose dims are given."""
    kept = Kept(well)
    known = embedder(kept).fingerprint
    assert embedder(kept, OPENAI, query="q: ").fingerprint == known
    different: list[dict[str, Any]] = [{"revision": "2"}, {"passage": "p: "}, {"dims": 4}]
    assert len({known, *(embedder(kept, **options).fingerprint for options in different)}) == 4
    assert kept.requests == []
    assert embedder(kept, dims=None).dims == 3


def test_requests_are_of_bounded_size(embedder: Callable[..., ServerEmbedder]) -> None:
    """By the number of texts, and by their length."""
    kept = Kept(well)
    embedder(kept, request_texts=2).embed(["a", "b", "c", "x" * 40_000, "y" * 40_000])
    assert [[text[:1] for text in texts] for texts in kept.texts] == [["a", "b"], ["c", "x"], ["y"]]


@pytest.mark.parametrize("status", [429, 503, 424])
def test_a_server_that_is_busy_is_asked_again(
    status: int, clock: MemoryClock, embedder: Callable[..., ServerEmbedder]
) -> None:
    """Not before it wants to be; what other requests have brought is not asked for again."""
    answers = iter([None, Answer(status, {"error": "busy"}, {"Retry-After": "7"}), None, None])
    kept = Kept(lambda request: next(answers) or well(request))
    assert len(embedder(kept, request_texts=1).embed(["a", "b", "c"]).vectors) == 3
    assert kept.texts == [["a"], ["b"], ["b"], ["c"]]
    assert clock.monotonic() == 7


def test_a_server_that_is_away_is_no_end(clock: MemoryClock, embedder: Callable[..., ServerEmbedder]) -> None:
    """After some attempts the engine hears of it, which begins again at the checkpoint; a connection may break too."""
    kept = Kept(lambda _: Answer(None))
    with pytest.raises(EmbedderUnavailable, match="does not answer"):
        embedder(kept).embed(["a"])
    assert len(kept.requests) == 6
    assert clock.monotonic() == pytest.approx(0.25 + 0.5 + 1 + 2 + 4)


def test_nobody_waits_for_a_server_who_is_asked_to_stop(
    clock: MemoryClock, embedder: Callable[..., ServerEmbedder]
) -> None:
    """The attempt under way is the last one."""
    clock.stop()
    kept = Kept(lambda _: Answer(503, {}))
    with pytest.raises(EmbedderUnavailable):
        embedder(kept).embed(["a"])
    assert len(kept.requests) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_text_that_is_refused_is_its_rows_trouble(status: int, embedder: Callable[..., ServerEmbedder]) -> None:
    """It is found among the others, which have their vectors."""

    def answer(request: Request) -> Answer:
        return Answer(status, {"error": "too long"}) if "bad" in texts_of(request) else well(request)

    model = embedder(answer)
    results = model.embed(["a", "b", "bad", "c", "d"]).vectors
    assert [isinstance(result, bytes) for result in results] == [True, True, False, True, True]
    assert results[2] == Rejected(
        "embedding_refused", f'the server of embedding.url answered {status}: {{"error": "too long"}}'
    )
    with pytest.raises(FatalError, match="too long"):
        model.embed_query("bad")


@pytest.mark.parametrize("hole", ["null", "NaN", "Infinity"])
def test_a_vector_with_a_hole_is_none(hole: str, embedder: Callable[..., ServerEmbedder]) -> None:
    """However the server writes it; it never gets into the index."""
    (rejected,) = embedder(lambda _: Answer(200, f"[[1, {hole}, 2]]")).embed(["a"]).vectors
    assert isinstance(rejected, Rejected)
    assert rejected.kind == "no_vector"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(200, [[1.0, 2.0]]), "vectors of 2 dimensions, not 3"),
        (Answer(200, [[1.0, 2.0, 3.0]] * 2), "2 vectors of 1 texts"),
        (Answer(200, "<html>"), "holds no vectors"),
        (Answer(200, {"data": "none"}), "holds no vectors"),
        (Answer(200, [["a", "b", "c"]]), "holds no vectors"),
        (Answer(404, {"error": "no such model"}), "404: .*no such model"),
        (Answer(307, "", {"Location": "http://127.0.0.1:1/embed"}), "answered 307"),
    ],
)
def test_a_server_of_something_else_is_a_wrong_setting(
    answer: Answer, told: str, embedder: Callable[..., ServerEmbedder]
) -> None:
    """It is not asked again, nor is what it gives taken for vectors; the key follows no redirect."""
    with pytest.raises(ConfigurationError, match=rf"^embedding\.url: .*{told}"):
        embedder(lambda _: answer).embed(["a"])


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_is_not_shown(status: int, embedder: Callable[..., ServerEmbedder]) -> None:
    """Not even where the server repeats it."""
    with pytest.raises(CredentialsRefused, match=r"key \*\*\*") as refused:
        embedder(lambda _: Answer(status, f"wrong key {KEY}")).embed(["a"])
    assert KEY not in str(refused.value)


def test_a_model_that_refuses_everything_is_found_before_it_is_needed(embedder: Callable[..., ServerEmbedder]) -> None:
    """Else every row of the table would be rejected."""
    with pytest.raises(ConfigurationError, match="400"):
        embedder(lambda _: Answer(400, {"error": "unknown model"})).load()


@pytest.mark.parametrize("text", ["", "   ", "a\0b", "half a pair: \ud83d", "x" * 5_000_000])
def test_every_text_can_be_sent(text: str, embedder: Callable[..., ServerEmbedder]) -> None:
    """As JSON of which each character is one."""
    kept = Kept(well)
    assert len(embedder(kept).embed([text]).vectors) == 1
    (sent,) = kept.texts[0]
    assert sent.encode().decode() == sent
    assert "\0" not in sent
    assert len(sent) <= 200_000
