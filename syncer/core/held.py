"""What an index holds of a row."""

from __future__ import annotations

from typing import NamedTuple


class Held(NamedTuple):
    """A document that is there. A tuple, for there is one per row and a dataclass takes longer."""

    version: int
    #: Of the draft it was made from.
    hash: int
