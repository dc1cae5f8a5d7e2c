"""Random transactions on tables that are part of another one's documents."""

from __future__ import annotations

from random import Random

from syncer.adapters.memory.table import MemoryRelation, MemoryTable, MemoryTransaction

OPEN_MAX = 3
#: Of one that may well be open for longer than the poll that meets its row.
STAYS_OPEN = 0.4
REGIONS = ("north", "south", "west")


class RelatedWriters:
    """Applications that change authors, of many documents each, and comments, which may move from one to another.

    An author moves to another region each time.

    Few changes: a later one of the same row would heal a loss.
    """

    def __init__(self, random: Random, root: MemoryTable) -> None:
        self.random = random
        self.root = root
        self.authors = MemoryTable(root.clock, "public.author")
        self.comments = MemoryTable(root.clock, "public.comment")
        self.comments.joined_by = "item"
        self.authors.triggers = self.comments.triggers = root.triggers
        root.relations += [
            MemoryRelation("author", self.authors, of_root="tenant"),
            MemoryRelation("comments", self.comments, column="item"),
        ]
        self.open: list[MemoryTransaction] = []
        self._count = 0

    def write(self) -> None:
        """Change a row, in a transaction that may stay open."""
        if self.open and self.random.random() < 0.5:
            self.end()
            return
        self._count += 1
        transaction = self._author() if self.random.random() < 0.4 else self._comment()
        if transaction is None:
            return
        if len(self.open) < OPEN_MAX and self.random.random() < STAYS_OPEN:
            self.open.append(transaction)
        else:
            transaction.commit()

    def end(self) -> None:
        """End one of the transactions that are open."""
        transaction = self.open.pop(self.random.randrange(len(self.open)))
        transaction.rollback() if self.random.random() < 0.1 else transaction.commit()

    def _author(self) -> MemoryTransaction | None:
        key = (self.random.choice("abc"),)
        if self._locked(self.authors, key):
            return None
        transaction = self.authors.begin()
        if self.root.triggers and self.random.random() < 0.2:
            transaction.delete(key)
        else:
            transaction.put(key, name=f"name {self._count}", region=REGIONS[self._count % len(REGIONS)])
        return transaction

    def _comment(self) -> MemoryTransaction | None:
        key = (f"{self.random.randrange(self._count + 1):05}",)
        items = sorted(self.root.documents())
        if not items or self._locked(self.comments, key):
            return None
        transaction = self.comments.begin()
        before = self.comments.row(key)
        if self.root.triggers and before and self.random.random() < 0.3:
            transaction.delete(key)
            return transaction
        moves = before is None or self.root.triggers
        item = self.random.choice(items)[0] if moves or before is None else before.values["item"]
        transaction.put(key, item=item, number=self._count)
        return transaction

    def _locked(self, table: MemoryTable, key: tuple[str, ...]) -> bool:
        return any(each.table is table and key in each._writes for each in self.open)
