"""Changes of another table in memory, as the keys of documents that its rows are part of."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from syncer.adapters.memory.table import MemoryRelation, MemoryTable
from syncer.core.change import NO_KEY, WHOLE_TABLE, Change, Page
from syncer.core.fan_out import FanOut
from syncer.core.key import Key
from syncer.core.position import Position

#: A row of a feed and what leads to it; None: it leads nowhere.
_Found = tuple[Change, str | None]


class MemoryRelatedFeed:
    """Implements `RelatedFeed` on the rows of a related table."""

    def __init__(self, root: MemoryTable, relation: MemoryRelation) -> None:
        self._root = root
        self._relation = relation

    @property
    def name(self) -> str:
        return f"{self._relation.table.name} by {self._relation.name}"

    @property
    def reads(self) -> Hashable:
        return self.name

    @property
    def way(self) -> str:
        return self._relation.name

    @property
    def watermark_zone(self) -> str | None:
        return None

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        return _page([row for row in self._rows() if _in_reach(row[0], start, until)], self._documents, rows)

    def documents(self, fan_out: FanOut, rows: int) -> Sequence[Key]:
        after, through = fan_out.after, fan_out.through
        keys = self._documents(fan_out.reached_by[0])
        in_reach = [k for k in keys if (after is None or k > after) and (through is None or k <= through)]
        return in_reach[:rows]

    def _rows(self) -> Iterator[_Found]:
        table = self._relation.table
        for change in table.changes():
            row = table.row(change.key)
            assert row
            named = Change(change.key, change.watermark, change.row_version, row=change.key)
            yield named, self._relation.led_from(change.key, row.values)

    def _documents(self, led_by: str) -> Sequence[Key]:
        led_to = self._relation.led_to
        return sorted(key for key, values in self._root.documents().items() if led_to(key, values) == led_by)


class MemoryRelatedTombstones(MemoryRelatedFeed):
    """Implements `RelatedFeed` on what triggers have noted of a related table."""

    @property
    def name(self) -> str:
        return f"syncer.tombstones of {super().name}"

    def _rows(self) -> Iterator[_Found]:
        for each in self._relation.table.noted() if self._relation.table.triggers else ():
            led_by = None if each.values is None else self._relation.led_from(each.key, each.values)
            yield Change(each.key, each.at, "", row=(f"{each.number:09}",), truncated=each.truncated), led_by


def _in_reach(change: Change, start: Position, until: datetime) -> bool:
    if start.key is None or change.watermark != start.watermark:
        return start.watermark <= change.watermark <= until
    assert change.row
    return change.row > start.key


def _page(found: Sequence[_Found], documents: Callable[[str], Sequence[Key]], rows: int) -> Page:
    """Return the changes of the first so many rows; fewer where they name more documents than that."""
    changes: list[Change] = []
    last: Position | None = None
    for row, led_by in found[:rows]:
        keys = [WHOLE_TABLE] if row.key == WHOLE_TABLE else documents(led_by) if led_by is not None else ()
        named = [replace(row, key=key) for key in keys]
        if len(changes) + len(named) > rows:
            if last is not None:
                return Page(changes, last)
            assert led_by is not None
            return Page([replace(row, key=NO_KEY, fans_out_by=(led_by,))], _position(row))
        changes += named
        last = _position(row)
    return Page(changes, last if len(found) >= rows else None)


def _position(row: Change) -> Position:
    return Position(row.watermark, row.row)
