"""Vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Embedder(Protocol):
    """A model that turns texts into vectors. Safe to call from several threads."""

    @property
    def fingerprint(self) -> str:
        """Model, revision, backend and quantisation: vectors of another fingerprint are not comparable."""

    @property
    def dims(self) -> int:
        """The length of a vector."""

    def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """Return a vector for each text, in order: float32, little-endian. Raises EmbedderUnavailable."""


class VectorCache(Protocol):
    """Vectors by model fingerprint and SHA-256 of the text. Losing an entry costs an embedding, no more."""

    def get(self, fingerprint: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the vectors that are there, by digest."""

    def put(self, fingerprint: str, vectors: Mapping[bytes, bytes]) -> None:
        """Store vectors by digest. Idempotent."""
