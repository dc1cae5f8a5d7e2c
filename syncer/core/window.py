"""Rows above the checkpoint that were delivered already, so that reading them again costs no write."""

from __future__ import annotations

from datetime import datetime

from syncer.core.change import Change
from syncer.core.key import Key

#: Feed, row of the feed, key.
_Place = tuple[str, Key | None, Key]


class Window:
    """`(feed, row, key) -> (watermark, row version)`, bounded: the oldest entry is forgotten, which costs a repeat.

    The row version must be in it: a watermark of whole seconds stays the same over two updates within the second.
    """

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._entries: dict[_Place, tuple[datetime, str]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def holds(self, feed: str, change: Change) -> bool:
        """Tell whether this very version of the row was delivered."""
        return self._entries.get((feed, change.row, change.key)) == (change.watermark, change.row_version)

    def add(self, feed: str, change: Change) -> None:
        """Remember a delivery."""
        place = (feed, change.row, change.key)
        self._entries.pop(place, None)
        self._entries[place] = (change.watermark, change.row_version)
        if len(self._entries) > self._entries_max:
            del self._entries[next(iter(self._entries))]
