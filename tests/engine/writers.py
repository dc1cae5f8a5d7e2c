"""Random transactions on a table, none of which changes a cold row again: a later change would heal a loss."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from syncer.adapters.memory.table import MemoryTable, MemoryTransaction
from syncer.core.key import Key

#: Rows that are changed often; all others are written once, or very few times.
HOT = 8
OPEN_MAX = 5


class Writers:
    """Applications that insert, update, delete and roll back, some of whose transactions stay open for long."""

    def __init__(self, random: Random, table: MemoryTable) -> None:
        self.random = random
        self.table = table
        self.open: list[MemoryTransaction] = []
        #: Rows may be deleted, for there are tombstones.
        self.deletes = False
        #: Rows may be such that nobody can index them.
        self.bad = False
        self._count = 0

    def truth(self) -> dict[Key, dict[str, Any]]:
        """Return what an index of the table must hold."""
        return {key: values for key, values in self.table.documents().items() if not values.get("hidden")}

    def write(self) -> None:
        """Change a row or some, in a transaction of their own or one that stays open."""
        alone = not self.open or self.random.random() < 0.4
        transaction = self.table.begin() if alone else self.random.choice(self.open)
        for _ in range(self.random.choice([1, 1, 3])):
            self._change(transaction)
        if alone:
            transaction.commit()

    def begin(self) -> None:
        """Open a transaction."""
        if len(self.open) < OPEN_MAX:
            self.open.append(self.table.begin())

    def end(self) -> None:
        """End one of those that are open."""
        if self.open:
            transaction = self.open.pop(self.random.randrange(len(self.open)))
            transaction.rollback() if self.random.random() < 0.1 else transaction.commit()

    def _change(self, transaction: MemoryTransaction) -> None:
        self._count += 1
        key, other = self._key(), self._key()
        locked = {key for each in self.open if each is not transaction for key in each._writes}
        if key in locked:
            return
        if self.deletes and self.random.random() < 0.25:
            if self.table.row(key) and not {key, other} & transaction._writes.keys() and other not in locked:
                self._delete(transaction, key, other)
            return
        values: dict[str, Any] = {
            "n": self._count,
            "tenant": self.random.choice("abc"),
            "text": f"text {self._count % 9}",
        }
        if self.random.random() < 0.15:
            values["hidden"] = True
        elif self.bad and self.random.random() < 0.1:
            values[self.random.choice(["unreadable", "refused"])] = True
        # Of whole seconds, or an application's clock that is a little slow.
        stamp = transaction.stamp.replace(microsecond=0) if self.random.random() < 0.3 else transaction.stamp
        transaction.put(key, stamp, **values)

    def _delete(self, transaction: MemoryTransaction, key: Key, other: Key) -> None:
        """Delete a row, or give it a key that is free."""
        if self.random.random() < 0.2 and not self.table.row(other):
            transaction.rename(key, other)
        else:
            transaction.delete(key)

    def _key(self) -> Key:
        dice = self.random.random()
        if dice < 0.2:
            return (f"{self.random.randrange(HOT):05}",)
        if dice < 0.35:
            return (f"{HOT + self.random.randrange(self._count):05}",)
        return (f"{HOT + self._count:05}",)


def is_bad(values: Mapping[str, Any]) -> bool:
    """Tell whether a row is to end as a dead letter."""
    return "unreadable" in values or "refused" in values
