"""A table with transactions: rows carry the time their transaction began, and appear when it commits."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from syncer.core.change import WHOLE_TABLE, Change
from syncer.core.key import Key
from syncer.core.source_state import SourceIdentity
from syncer.ports import Clock


@dataclass(frozen=True, slots=True)
class _Row:
    values: Mapping[str, Any]
    #: None: the column is NULL.
    watermark: datetime | None
    version: str


@dataclass(frozen=True, slots=True)
class _Tombstone:
    #: By the clock, not by the transaction.
    at: datetime
    number: int
    key: Key
    routing: str | None
    #: Of the row; None: it is not known.
    values: Mapping[str, Any] | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class MemoryRelation:
    """Rows of another table that are part of documents: those with the same value as the root's row."""

    name: str
    table: MemoryTable
    #: What the root's row has it in; None: its key.
    of_root: str | None = None
    #: What the other row has it in; None: its key.
    column: str | None = None

    def led_to(self, key: Key, values: Mapping[str, Any]) -> str:
        """Return what a root's row leads to other rows by."""
        return key[0] if self.of_root is None else str(values.get(self.of_root))

    def led_from(self, key: Key, values: Mapping[str, Any]) -> str:
        """Return what leads to another row."""
        return key[0] if self.column is None else str(values.get(self.column))


@dataclass(slots=True)
class MemoryTransaction:
    """Writes that appear together; `stamp` is what `now()` says in it."""

    table: MemoryTable
    name: str
    stamp: datetime
    _writes: dict[Key, _Row | None] = field(default_factory=dict)
    _tombstones: list[_Tombstone] = field(default_factory=list)

    def put(self, key: Key, watermark: datetime | None = None, **values: Any) -> None:
        """Insert or replace a row, stamped by the transaction unless a watermark is given."""
        before = self._row(key)
        row = _Row(values, watermark or self.stamp, self.table.next_version())
        if before and self.table.notes_change(before.values, values):
            self._note(key, before)
            self._note(key, row, routed=False)
        self._writes[key] = row

    def rename(self, key: Key, new_key: Key) -> None:
        """Change a row's key, and nothing else."""
        row = self._row(key)
        assert row
        self._note(key, row)
        self._note(new_key, row, routed=False)
        self._writes |= {key: None, new_key: replace(row, version=self.table.next_version())}

    def delete(self, key: Key) -> None:
        """Delete a row; no trace of it remains in the table."""
        if row := self._row(key):
            self._note(key, row)
        self._writes[key] = None

    def truncate(self) -> None:
        """Delete all rows at once."""
        self._note(WHOLE_TABLE)
        self._writes |= dict.fromkeys([*self.table.documents(), *self._writes])

    def commit(self) -> None:
        """Let the writes appear."""
        self.table.end(self, self._writes, self._tombstones)

    def rollback(self) -> None:
        """Forget the writes."""
        self.table.end(self, {}, [])

    def _row(self, key: Key) -> _Row | None:
        return self._writes[key] if key in self._writes else self.table.row(key)

    def _note(self, key: Key, row: _Row | None = None, *, routed: bool = True) -> None:
        if self.table.triggers:
            routing = self.table.routing_of(row.values) if row and routed else None
            now, number = self.table.clock.now(), self.table.next_number()
            values = row.values if row else None
            self._tombstones.append(_Tombstone(now, number, key, routing, values, truncated=key == WHOLE_TABLE))


class MemoryTable:
    """Rows by key, and the transactions that are open. The database's order of keys is that of their parts as text."""

    def __init__(self, clock: Clock, name: str = "public.item") -> None:
        self.name = name
        self.clock = clock
        #: Whether observers may see when a transaction began.
        self.shows_start = True
        #: Whether triggers note what is deleted.
        self.triggers = False
        #: The value that decides on a document's shard.
        self.routing: str | None = None
        #: A relation, and the value of its first row that does so instead.
        self.routed_by: tuple[str, str] | None = None
        #: Other tables whose rows are part of this one's documents.
        self.relations: list[MemoryRelation] = []
        #: The column that other tables lead to its rows by.
        self.joined_by: str | None = None
        self.identity = SourceIdentity("memory", clock.now(), 1)
        self._rows: dict[Key, _Row] = {}
        self._tombstones: list[_Tombstone] = []
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

    def rename(self, key: Key, new_key: Key) -> None:
        """Change a row's key in a transaction of its own."""
        transaction = self.begin()
        transaction.rename(key, new_key)
        transaction.commit()

    def truncate(self) -> None:
        """Delete all rows in a transaction of its own."""
        transaction = self.begin()
        transaction.truncate()
        transaction.commit()

    def install_triggers(self) -> None:
        """Let triggers note what goes from now on, and that they have not noted what went before."""
        self.triggers = True
        self._tombstones.append(_Tombstone(self.clock.now(), self.next_number(), WHOLE_TABLE, None))

    def end(
        self, transaction: MemoryTransaction, writes: Mapping[Key, _Row | None], tombstones: Sequence[_Tombstone]
    ) -> None:
        """Close a transaction, applying these writes."""
        del self._open[transaction.name]
        self._tombstones += tombstones
        for key, row in writes.items():
            if row is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row

    def next_number(self) -> int:
        """Return a number higher than all before."""
        return next(self._numbers)

    def next_version(self) -> str:
        """Return a row version never used before."""
        return str(self.next_number())

    def row(self, key: Key) -> _Row | None:
        """Return a row that is committed."""
        return self._rows.get(key)

    def routing_of(self, values: Mapping[str, Any]) -> str | None:
        """Return what decides on the shard of a document with these values; empty: its id does."""
        return None if self.routing is None else str(values.get(self.routing) or "")

    def document_routing(self, values: Mapping[str, Any]) -> str | None:
        """Return what decides on the shard of a document, related rows among its values; empty: its id does."""
        if self.routed_by is None:
            return self.routing_of(values)
        relation, column = self.routed_by
        return str(values[relation][0].get(column) or "") if values[relation] else ""

    def notes_change(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Tell whether triggers note this change of a row."""
        joined = self.joined_by is not None and before.get(self.joined_by) != after.get(self.joined_by)
        return joined or self.routing_of(before) != self.routing_of(after)

    def open_since(self) -> dict[str, datetime | None]:
        """Return the open transactions, with their starts where visible; those of related tables too."""
        found = {name: t.stamp if self.shows_start else None for name, t in self._open.items()}
        for relation in self.relations:
            others = relation.table.open_since()
            found |= {f"{name} of {relation.table.name}": since for name, since in others.items()}
        return found

    def changes(self) -> list[Change]:
        """Return a change for each row that has a watermark, in the order of a feed."""
        found = [Change(key, row.watermark, row.version) for key, row in self._rows.items() if row.watermark]
        return sorted(found, key=lambda change: (change.watermark, change.key))

    def tombstones(self) -> list[Change]:
        """Return a change for each tombstone, in the order of a feed."""
        return [
            Change(each.key, each.at, "", (str(each.number),), each.routing, truncated=each.truncated)
            for each in self.noted()
        ]

    def noted(self) -> list[_Tombstone]:
        """Return the tombstones in the order of a feed."""
        return sorted(self._tombstones, key=lambda tombstone: (tombstone.at, tombstone.number))

    def forget(self, tombstones: Sequence[Change]) -> None:
        """Delete tombstones."""
        numbers = {number_of(change.row) for change in tombstones}
        self._tombstones = [each for each in self._tombstones if each.number not in numbers]

    def documents(self) -> dict[Key, dict[str, Any]]:
        """Return what an index of this table must hold."""
        documents = {key: dict(row.values) for key, row in self._rows.items()}
        for relation in self.relations:
            rows: dict[str, list[Any]] = {}
            for key, row in sorted(relation.table._rows.items()):
                rows.setdefault(relation.led_from(key, row.values), []).append(dict(row.values))
            for key, values in documents.items():
                values[relation.name] = rows.get(relation.led_to(key, self._rows[key].values), [])
        return documents


def number_of(row: Key | None) -> int:
    """Return the number of the tombstone that a feed calls so."""
    assert row
    return int(row[0])
