"""A table with transactions: rows carry the time their transaction began, and appear when it commits."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from syncer.core.change import Change, Draft, Hydration, Page
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.position import Position
from syncer.core.source_state import Blocker, Observation, SourceIdentity
from syncer.ports import Clock


@dataclass(frozen=True, slots=True)
class _Row:
    values: Mapping[str, Any]
    #: None: the column is NULL.
    watermark: datetime | None
    version: str


@dataclass(slots=True)
class MemoryTransaction:
    """Writes that appear together; `stamp` is what `now()` says in it."""

    table: MemoryTable
    name: str
    stamp: datetime
    _writes: dict[Key, _Row | None] = field(default_factory=dict)

    def put(self, key: Key, watermark: datetime | None = None, **values: Any) -> None:
        """Insert or replace a row, stamped by the transaction unless a watermark is given."""
        self._writes[key] = _Row(values, watermark or self.stamp, self.table.next_version())

    def delete(self, key: Key) -> None:
        """Delete a row; no trace of it remains in the table."""
        self._writes[key] = None

    def commit(self) -> None:
        """Let the writes appear."""
        self.table.end(self, self._writes)

    def rollback(self) -> None:
        """Forget the writes."""
        self.table.end(self, {})


class MemoryTable:
    """Rows by key, and the transactions that are open. The database's order of keys is that of their parts as text."""

    def __init__(self, clock: Clock, name: str = "public.item") -> None:
        self.name = name
        self.clock = clock
        #: Whether observers may see when a transaction began.
        self.shows_start = True
        self.identity = SourceIdentity("memory", clock.now(), 1)
        self._rows: dict[Key, _Row] = {}
        self._open: dict[str, MemoryTransaction] = {}
        self._numbers = itertools.count(1)

    def begin(self) -> MemoryTransaction:
        """Open a transaction now."""
        transaction = MemoryTransaction(self, f"t{next(self._numbers)}", self.clock.now())
        self._open[transaction.name] = transaction
        return transaction

    def put(self, key: Key, watermark: datetime | None = None, **values: Any) -> None:
        """Insert or replace a row in a transaction of its own."""
        transaction = self.begin()
        transaction.put(key, watermark, **values)
        transaction.commit()

    def delete(self, key: Key) -> None:
        """Delete a row in a transaction of its own."""
        transaction = self.begin()
        transaction.delete(key)
        transaction.commit()

    def end(self, transaction: MemoryTransaction, writes: Mapping[Key, _Row | None]) -> None:
        """Close a transaction, applying these writes."""
        del self._open[transaction.name]
        for key, row in writes.items():
            if row is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row

    def next_version(self) -> str:
        """Return a row version never used before."""
        return str(next(self._numbers))

    def open_since(self) -> dict[str, datetime | None]:
        """Return the open transactions, with their starts where visible."""
        return {name: t.stamp if self.shows_start else None for name, t in self._open.items()}

    def changes(self) -> list[Change]:
        """Return a change for each row that has a watermark, in the order of a feed."""
        found = [Change(key, row.watermark, row.version) for key, row in self._rows.items() if row.watermark]
        return sorted(found, key=lambda change: (change.watermark, change.key))

    def documents(self) -> dict[Key, dict[str, Any]]:
        """Return what an index of this table must hold."""
        return {key: dict(row.values) for key, row in self._rows.items()}


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
    def watermark_zone(self) -> str | None:
        return self._zone

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        def in_reach(change: Change) -> bool:
            if start.key is None or change.watermark != start.watermark:
                return start.watermark <= change.watermark <= until
            return change.key > start.key

        changes = [change for change in self._table.changes() if in_reach(change)][:rows]
        return Page(changes, Position(changes[-1].watermark, changes[-1].key) if len(changes) == rows else None)


class MemoryKeyFeed:
    """Implements `KeyFeed` on the keys of a table, or on given ones."""

    def __init__(self, table: MemoryTable, keys: Sequence[Key] | None = None) -> None:
        self._table = table
        self._keys = keys

    def read(self, after: Key | None, through: Key | None, rows: int) -> Sequence[Key]:
        keys = self._table.documents() if self._keys is None else self._keys
        return [key for key in sorted(keys) if (after is None or key > after) and (through is None or key <= through)][
            :rows
        ]

    def divide(self, rows: int) -> Sequence[KeyRange]:
        ranges: list[KeyRange] = []
        after: Key | None = None
        while len(keys := self.read(after, None, rows)) == rows:
            ranges.append(KeyRange(len(ranges), after, keys[-1], rows))
            after = keys[-1]
        return [*ranges, KeyRange(len(ranges), after, None, len(keys))]


class MemoryDocuments:
    """Implements `Documents` on a table: a document is the row's values; `text` among them is what is embedded."""

    def __init__(self, table: MemoryTable) -> None:
        self._table = table

    def hydrate(self, keys: Sequence[Key]) -> Hydration:
        documents = self._table.documents()
        return Hydration([_draft(key, documents[key]) for key in keys if key in documents], {})


def _draft(key: Key, values: Mapping[str, Any]) -> Draft:
    body = json.dumps(values, separators=(",", ":"))
    digest = hashlib.sha256(body.encode()).digest()
    texts = {"embedding": str(values["text"])} if "text" in values else {}
    return Draft(key, body, int.from_bytes(digest[:8], "big", signed=True), texts)
