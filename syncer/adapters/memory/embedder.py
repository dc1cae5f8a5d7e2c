"""Vectors without a model: a digest of the text, so that equal texts, and only they, have equal vectors."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from syncer.core.outcome import Rejected
from syncer.core.piece import pieces
from syncer.core.vector import Chunks, Embedded, Split


class MemoryEmbedder:
    """Implements `Embedder`; remembers what it was asked."""

    fingerprint = "memory"

    def __init__(self, dims: int = 4) -> None:
        self._dims = dims
        self.asked: list[str] = []
        self.split_texts: list[str] = []
        #: Characters of a text that it reads.
        self.window = 1_000_000
        #: Texts of which it makes no vector.
        self.refused: set[str] = set()

    @property
    def dims(self) -> int:
        return self._dims

    def split(self, texts: Sequence[str], chunks: Chunks) -> Split:
        """Take each character for a token."""
        self.split_texts.extend(texts)
        return Split([pieces(text, range(len(text)), chunks.tokens, chunks.overlap) for text in texts])

    def embed(self, texts: Sequence[str]) -> Embedded:
        self.asked.extend(texts)
        return Embedded(
            [Rejected("no_vector", "refused") if text in self.refused else _vector(text, self._dims) for text in texts],
            sum(len(text) > self.window for text in texts),
        )


def _vector(text: str, dims: int) -> bytes:
    digest = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(dims)
    return struct.pack(f"<{dims}f", *(byte / 255 + 0.01 for byte in digest))
