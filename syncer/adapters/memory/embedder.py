"""Vectors without a model: a digest of the text, so that equal texts, and only they, have equal vectors."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from syncer.core.outcome import Rejected


class MemoryEmbedder:
    """Implements `Embedder`; remembers what it was asked."""

    fingerprint = "memory"

    def __init__(self, dims: int = 4) -> None:
        self._dims = dims
        self.asked: list[str] = []
        #: Texts of which it makes no vector.
        self.refused: set[str] = set()

    @property
    def dims(self) -> int:
        return self._dims

    def embed(self, texts: Sequence[str]) -> Sequence[bytes | Rejected]:
        self.asked.extend(texts)
        return [
            Rejected("no_vector", "refused") if text in self.refused else _vector(text, self._dims) for text in texts
        ]


def _vector(text: str, dims: int) -> bytes:
    digest = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(dims)
    return struct.pack(f"<{dims}f", *(byte / 255 + 0.01 for byte in digest))
