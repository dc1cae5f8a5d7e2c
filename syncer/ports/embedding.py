"""Vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from syncer.core.outcome import Rejected
from syncer.core.vector import Chunks, Embedded, Split


class Embedder(Protocol):
    """A model that turns texts into vectors. Safe to call from several threads."""

    @property
    def fingerprint(self) -> str:
        """Model, revision, backend and quantisation: vectors of another fingerprint are not comparable."""

    @property
    def dims(self) -> int:
        """The length of a vector."""

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Return for each text, in order, a vector, or why it has none. Raises EmbedderUnavailable.

        Vectors are of length one, unless the fingerprint says that they are as the model makes them.
        """

    def split(self, texts: Sequence[str], chunks: Chunks) -> Split:
        """Return each text in pieces that the model reads to their end, in order; at least one.

        Of a given text and model they are always the same. Raises ConfigurationError where pieces of this length do not
        fit into what the model reads.
        """


class Model(Embedder, Protocol):
    """An embedder as the command line uses it too."""

    @property
    def description(self) -> Mapping[str, str]:
        """What tells its vectors from those of another: model, revision, backend, …; `fingerprint`, for people."""

    def load(self) -> None:
        """Make sure that it works, and makes vectors of `dims`. Raises ConfigurationError, EmbedderUnavailable."""

    def embed_query(self, text: str) -> bytes:
        """Return the vector to search with, which some models make in another way. Raises EmbedderUnavailable, and
        FatalError where none can be made."""

    def embed_queries(self, texts: Sequence[str]) -> Sequence[bytes | Rejected]:
        """Return such vectors of several texts, in order, or why one has none: sixteen at once take a quarter of the
        time that they take one by one. Raises EmbedderUnavailable."""


class VectorCache(Protocol):
    """Vectors by model fingerprint and a digest of the text; of one in pieces, all of them in one value. Losing an
    entry costs an embedding, no more."""

    def get(self, fingerprint: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the vectors that are there, by digest."""

    def touch(self, fingerprint: str, digests: Sequence[bytes]) -> None:
        """Note that these are wanted, as `get` does, without reading them."""

    def put(self, fingerprint: str, vectors: Mapping[bytes, bytes]) -> None:
        """Store vectors by digest. Idempotent."""
