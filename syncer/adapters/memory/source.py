"""A table in memory as a source: its clock and transactions, feeds, keys and documents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from syncer.adapters.memory.table import MemoryTable, number_of
from syncer.core.change import Change, Draft, Hydration, Page
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.position import Position, Stretch
from syncer.core.source_state import Blocker, Observation, SourceIdentity
from syncer.ports import ChangeFeed


class MemorySource:
    """Implements `Source` on a table."""

    def __init__(self, table: MemoryTable) -> None:
        self._table = table

    def identity(self) -> SourceIdentity:
        return self._table.identity

    def observe(self) -> Observation:
        return Observation(self._table.clock.now().astimezone(UTC), self._table.open_since())

    def blockers(self) -> Sequence[Blocker]:
        return [Blocker(None, name, "open", since) for name, since in self._table.open_since().items()]


class MemoryChangeFeed:
    """Implements `ChangeFeed` on a table."""

    def __init__(self, table: MemoryTable, watermark_zone: str | None = None) -> None:
        self._table = table
        self._zone = watermark_zone

    @property
    def name(self) -> str:
        return self._table.name

    @property
    def reads(self) -> Hashable:
        return self.name, self._zone

    @property
    def watermark_zone(self) -> str | None:
        return self._zone

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        def in_reach(change: Change) -> bool:
            if start.key is None or change.watermark != start.watermark:
                return start.watermark <= change.watermark <= until
            return change.key > start.key

        changes = [change for change in self._table.changes() if in_reach(change)][:rows]
        return Page(changes, Position(changes[-1].watermark, changes[-1].key) if len(changes) == rows else None)


class MemoryGlance:
    """Implements `Glance` on feeds."""

    def __init__(self, feeds: Sequence[ChangeFeed]) -> None:
        self._feeds = feeds

    def any_change(self, stretches: Mapping[str, Stretch]) -> bool:
        return any(
            feed.read(Position(stretches[feed.name].start), stretches[feed.name].until, 1).changes
            for feed in self._feeds
        )


class MemoryTombstones:
    """Implements `ChangeFeed` and `Tombstones` on what triggers have noted of a table."""

    def __init__(self, table: MemoryTable) -> None:
        self._table = table

    @property
    def name(self) -> str:
        return f"syncer.tombstones of {self._table.name}"

    @property
    def reads(self) -> Hashable:
        return self.name

    @property
    def watermark_zone(self) -> str | None:
        return None

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        def in_reach(change: Change) -> bool:
            if start.key is None or change.watermark != start.watermark:
                return start.watermark <= change.watermark <= until
            return number_of(change.row) > number_of(start.key)

        changes = [change for change in self._noted() if in_reach(change)][:rows]
        return Page(changes, Position(changes[-1].watermark, changes[-1].row) if len(changes) == rows else None)

    def prune(self, before: datetime, rows: int) -> int:
        pruned = [change for change in self._noted() if change.watermark < before][:rows]
        self._table.forget(pruned)
        return len(pruned)

    def _noted(self) -> Sequence[Change]:
        return self._table.tombstones() if self._table.triggers else ()


class MemoryKeyFeed:
    """Implements `TableKeys` on the keys of a table, or on given ones."""

    def __init__(self, table: MemoryTable, keys: Sequence[Key] | None = None) -> None:
        self._table = table
        self._keys = keys

    def read(self, after: Key | None, through: Key | None, rows: int) -> Sequence[Key]:
        keys = self._table.documents() if self._keys is None else self._keys
        return [key for key in sorted(keys) if (after is None or key > after) and (through is None or key <= through)][
            :rows
        ]

    def divide(self, rows: int) -> Iterator[KeyRange]:
        count, after = 0, None
        while len(keys := self.read(after, None, rows)) == rows:
            yield KeyRange(count, after, keys[-1], rows)
            count, after = count + 1, keys[-1]
        yield KeyRange(count, after, None, len(keys))


class MemoryDocuments:
    """Implements `Documents` on a table: a document is the row's values; `text` among them is what is embedded."""

    def __init__(self, table: MemoryTable) -> None:
        self._table = table

    def hydrate(self, keys: Sequence[Key]) -> Hydration:
        documents = self._table.documents()
        return Hydration(
            [
                _draft(key, documents[key], self._table.document_routing(documents[key]))
                for key in keys
                if key in documents
            ],
            {},
        )


def _draft(key: Key, values: Mapping[str, Any], routing: str | None) -> Draft:
    body = json.dumps(values, separators=(",", ":"))
    digest = hashlib.sha256(body.encode()).digest()
    texts = {"embedding": str(values["text"])} if "text" in values else {}
    return Draft(key, body, int.from_bytes(digest[:8], "big", signed=True), texts, routing)
