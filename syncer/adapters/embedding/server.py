"""Models behind HTTP: Text Embeddings Inference, and servers that answer as OpenAI's does."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import urllib3

from syncer.adapters.embedding.text import cut, readable, room_in
from syncer.adapters.embedding.vector import UNSCALED, all_of, row
from syncer.core.error import ConfigurationError, CredentialsRefused, EmbedderUnavailable
from syncer.core.outcome import Rejected
from syncer.core.piece import estimated_starts, pieces
from syncer.core.retry import backoff_seconds
from syncer.core.vector import Chunks, Embedded, Split
from syncer.ports import Clock

#: Of one request: about as many tokens as Text Embeddings Inference takes by default (16,384).
_REQUEST_CHARACTERS = 50_000
#: Attempts at one request. Given up earlier, a pass of many requests would begin anew at every limit of the rate.
_ATTEMPTS = 6
_SAID_CHARACTERS = 300

#: What is wrong with a text, or with how many there are.
_REFUSED = frozenset({400, 413, 422})
#: Besides those from 500 on. 424: the model failed, as Text Embeddings Inference says it.
_PASSING = frozenset({408, 424, 425, 429})


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is, and how it is spoken to."""

    #: The whole address; its path tells the language: `…/embed` or `…/embeddings`.
    url: str
    #: The model's name, which servers of several ask for.
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0
    request_texts: int = 32


class _RequestRefused(Exception):
    """The server will not embed these texts together, or this one."""


class ServerEmbedder:
    """Implements `Embedder` with requests to a server; several threads may have one under way each."""

    def __init__(
        self,
        server: Server,
        *,
        clock: Clock,
        revision: str = "",
        dims: int | None = None,
        query: str = "",
        passage: str = "",
        normalise: bool = True,
        random: Callable[[], float] = random.random,
        setting: str = "embedding.url",
    ) -> None:
        """revision: what tells the model from others that were served under its name. dims: left out, the server is
        asked for a vector. query, passage: what to put before the texts. normalise: scale vectors to length one."""
        self._server = server
        self._clock = clock
        self._revision = revision
        self._given_dims = dims
        self._query, self._passage = query, passage
        self._normalise = normalise
        self._random = random
        self._setting = setting
        self._named = f"{setting}: the model {server.model!r} at {server.url}"
        # Redirects are refused: the key is for this server alone.
        self._pool = urllib3.PoolManager(retries=False, timeout=server.timeout_seconds, maxsize=8)

    @property
    def fingerprint(self) -> str:
        """Not where it is served: that may change, and the model stay."""
        told = [text for name, text in self.description.items() if name not in {"backend", "normalise"}]
        return "/".join(["http", *told, f"{self.dims}{'' if self._normalise else UNSCALED}"])

    @property
    def description(self) -> Mapping[str, str]:
        """What tells its vectors from those of another."""
        told = {"model": self._server.model, "revision": self._revision, "backend": "http"}
        if self._passage:
            told["prompt"] = self._passage
        return told if self._normalise else {**told, "normalise": "false"}

    @cached_property
    def dims(self) -> int:
        return self._given_dims or len(self._probe())

    def load(self) -> None:
        """Ask for one vector. Raises ConfigurationError where the server gives none, or one of another length."""
        row(self._probe(), self.dims, named=self._named)

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Return vectors, or rejections; what the server leaves out of a text, it does not tell.

        Raises EmbedderUnavailable, and ConfigurationError where the server makes no such vectors.
        """
        return Embedded(self._all(self._passage, texts), cut(texts))

    def split(self, texts: Sequence[str], chunks: Chunks) -> Split:
        """Return the texts in pieces by an estimate of their tokens, for the server keeps its tokenizer to itself."""
        around = len(estimated_starts(self._passage))
        room = room_in(chunks, around=around, window=None, named="the server's model")
        given = map(readable, texts)
        return Split([pieces(text, estimated_starts(text), room, chunks.overlap) for text in given], cut(texts))

    def embed_query(self, text: str) -> bytes:
        """Return the vector to search with."""
        return all_of(self.embed_queries([text]))[0]

    def embed_queries(self, texts: Sequence[str]) -> Sequence[bytes | Rejected]:
        """Return the vectors to search with; see `Model`."""
        return self._all(self._query, texts)

    def _all(self, prompt: str, texts: Sequence[str]) -> Sequence[bytes | Rejected]:
        results: list[bytes | Rejected] = []
        for part in _requests([readable(prompt + text) for text in texts], self._server.request_texts):
            results += self._results(part)
        return results

    def _results(self, texts: Sequence[str]) -> Sequence[bytes | Rejected]:
        try:
            vectors = self._insist(texts)
        except _RequestRefused as refused:
            if len(texts) == 1:
                return [Rejected("embedding_refused", f"the server of embedding.url answered {refused}")]
            half = len(texts) // 2
            return [*self._results(texts[:half]), *self._results(texts[half:])]
        return [row(vector, self.dims, named=self._named, unit=self._normalise) for vector in vectors]

    def _probe(self) -> Sequence[float | None]:
        try:
            return self._insist(["dimensions"])[0]
        except _RequestRefused as refused:
            raise ConfigurationError(
                f"{self._setting}: {self._server.url} answered {refused}",
                hint="the address must end in /embed (Text Embeddings Inference) or /v1/embeddings, and the model be "
                "one that it serves",
            ) from refused

    def _insist(self, texts: Sequence[str]) -> Sequence[Sequence[float | None]]:
        attempt = 1
        while True:
            try:
                return self._ask(texts)
            except EmbedderUnavailable as error:
                wait = backoff_seconds(attempt, self._random, error.retry_after)
                if attempt == _ATTEMPTS or self._clock.wait(wait):
                    raise
                attempt += 1

    def _ask(self, texts: Sequence[str]) -> Sequence[Sequence[float | None]]:
        server = self._server
        spoken = urlsplit(server.url).path.endswith("/embed")
        question = {"inputs": texts, "truncate": True} if spoken else {"model": server.model, "input": texts}
        headers = {"Content-Type": "application/json"}
        if server.api_key:
            headers["Authorization"] = f"Bearer {server.api_key}"
        try:
            answer = self._pool.request(
                "POST", server.url, body=json.dumps(question).encode(), headers=headers, redirect=False
            )
        except urllib3.exceptions.LocationValueError as error:
            raise ConfigurationError(f"{self._setting}: {server.url} is not an address") from error
        except urllib3.exceptions.HTTPError as error:
            # Its text names the connection's address in memory.
            raise EmbedderUnavailable(
                f"{self._setting}: {server.url} does not answer: {type(error).__name__}",
                hint="is the server running, and reached from here?",
            ) from error
        self._examine(answer)
        return self._vectors(answer.data, len(texts), spoken=spoken)

    def _examine(self, answer: urllib3.BaseHTTPResponse) -> None:
        status = answer.status
        if status == 200:
            return
        said = f"{status}: {self._said(answer.data)}"
        if status in _REFUSED:
            raise _RequestRefused(said)
        told = f"{self._setting}: {self._server.url} answered {said}"
        if status in _PASSING or status >= 500:
            raise EmbedderUnavailable(told, retry_after=_seconds(answer.headers.get("Retry-After")))
        if status in {401, 403}:
            raise CredentialsRefused(told, hint="give embedding.api_key the key of this server")
        raise ConfigurationError(told, hint="the address must end in /embed or /v1/embeddings, without a redirect")

    def _said(self, body: bytes) -> str:
        said = body.decode("utf-8", "replace")
        if self._server.api_key:
            said = said.replace(self._server.api_key, "***")
        return " ".join(said.split())[:_SAID_CHARACTERS]

    def _vectors(self, body: bytes, count: int, *, spoken: bool) -> Sequence[Sequence[float | None]]:
        try:
            # Not orjson: servers in Python write NaN, which it refuses.
            answer: Any = json.loads(body)
            vectors = answer if spoken else [one["embedding"] for one in sorted(answer["data"], key=_index)]
            found = [[value if value is None else float(value) for value in vector] for vector in vectors]
        except (ValueError, TypeError, LookupError) as error:
            raise ConfigurationError(
                f"{self._setting}: {self._server.url} answered what holds no vectors: {self._said(body)[:100]}",
                hint="the address must end in /embed (Text Embeddings Inference) or /v1/embeddings",
            ) from error
        if len(found) != count:
            raise ConfigurationError(f"{self._named} makes {len(found)} vectors of {count} texts")
        return found


def _index(one: Mapping[str, Any]) -> int:
    return int(one["index"])


def _requests(texts: Sequence[str], texts_max: int) -> Iterator[Sequence[str]]:
    """Yield the texts in order, in requests of bounded size."""
    part: list[str] = []
    characters = 0
    for text in texts:
        if part and (len(part) == texts_max or characters + len(text) > _REQUEST_CHARACTERS):
            yield part
            part, characters = [], 0
        part.append(text)
        characters += len(text)
    if part:
        yield part


def _seconds(retry_after: str | None) -> float | None:
    """Return how long the server asks to be left alone; of a date None, for the usual wait will do."""
    try:
        return float(retry_after) if retry_after else None
    except ValueError:
        return None
