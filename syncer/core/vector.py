"""What a model makes of texts, and how long ones are cut for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncer.core.outcome import Rejected


@dataclass(frozen=True, slots=True)
class Chunks:
    """How a text is cut into pieces that are embedded one by one."""

    #: Of the longest piece.
    tokens: int
    #: Tokens at the end of a piece that the next one begins with.
    overlap: int
    #: One vector for the text, the mean of those of its pieces; else each piece has its own.
    mean: bool = False


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of some texts, in order."""

    #: float32, little-endian; or why a text has none.
    vectors: Sequence[bytes | Rejected]
    #: Texts whose end the model did not read.
    truncated: int = 0
