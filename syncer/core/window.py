"""Rows above the checkpoint that were delivered already, so that reading them again costs no write."""

from __future__ import annotations

from datetime import datetime

from syncer.core.change import Change
from syncer.core.key import Key

#: Feed, row of the feed, key.
_Place = tuple[str, Key | None, Key]
_Entries = dict[_Place, tuple[datetime, str]]

#: Entries of rows that fan out, kept apart: others, which are many more, do not push them out. Forgotten, such a row
#: would begin its fan-out again at each poll that reads it.
FANS_OUT_MAX = 10_000


class Window:
    """`(feed, row, key) -> (watermark, row version)`, bounded: the oldest entry is forgotten, which costs a repeat.

    The row version must be in it: a watermark of whole seconds stays the same over two updates within the second.
    """

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._entries: _Entries = {}
        self._fans_out: _Entries = {}

    def __len__(self) -> int:
        return len(self._entries)

    def holds(self, feed: str, change: Change) -> bool:
        """Tell whether this very version of the row was delivered."""
        return self._of(change).get((feed, change.row, change.key)) == (change.watermark, change.row_version)

    def add(self, feed: str, change: Change) -> None:
        """Remember a delivery."""
        entries, place = self._of(change), (feed, change.row, change.key)
        entries.pop(place, None)
        entries[place] = (change.watermark, change.row_version)
        if len(entries) > (self._entries_max if entries is self._entries else FANS_OUT_MAX):
            del entries[next(iter(entries))]

    def _of(self, change: Change) -> _Entries:
        return self._entries if change.fans_out_by is None else self._fans_out
