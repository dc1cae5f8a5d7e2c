"""What a model makes of texts, and how long ones are cut for it."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from syncer.core.outcome import Rejected

#: What a text is called that no vector can be made of.
NO_VECTOR = "no_vector"

#: Of a text in pieces each is an object of this one field.
PIECE_FIELD = "vector"

#: float32, little-endian: the vector of a text, or those of its pieces, in order.
Vector = bytes | tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Chunks:
    """How a text is cut into pieces that are embedded one by one."""

    #: Of the longest piece, with all that the model reads around it.
    tokens: int
    #: Tokens at the end of a piece that the next one begins with.
    overlap: int
    #: One vector for the text, the mean of those of its pieces; else each piece has its own.
    mean: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """Some texts in pieces, in order."""

    pieces: Sequence[Sequence[str]]
    #: Texts whose end is in no piece.
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of some texts, in order."""

    #: float32, little-endian; or why a text has none.
    vectors: Sequence[bytes | Rejected]
    #: Texts whose end the model did not read.
    truncated: int = 0


def mean(vectors: Sequence[bytes], *, unit: bool) -> bytes | Rejected:
    """Return the mean of vectors, scaled to length one where `unit`; they may cancel each other out."""
    form = f"<{len(vectors[0]) // 4}f"
    sums = [math.fsum(numbers) for numbers in zip(*(struct.unpack(form, vector) for vector in vectors), strict=True)]
    length = math.hypot(*sums) if unit else len(vectors)
    if not any(sums):
        return Rejected(NO_VECTOR, "the vectors of the pieces of its text cancel each other out")
    return struct.pack(form, *(number / length for number in sums))
