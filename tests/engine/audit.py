"""What checkpoints and the index claim, held against the table; shares no code with the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from syncer.adapters.memory.sink import MemoryIndex
from syncer.core.change import Change
from syncer.core.key import Key
from syncer.core.position import Position
from syncer.core.settlement import DeadLetter
from tests.builders import World
from tests.engine.writers import Writers, is_bad


class Audit:
    """Compares a world with what its writers have done."""

    def __init__(self, world: World, writers: Writers, index: str | None = None) -> None:
        """index: None: the one that is followed."""
        self._world = world
        self._name = index
        self._writers = writers
        #: Rows that were found settled, which they stay: looking at them again would take most of a history's time.
        self._found: set[Change] = set()

    def unsettled(self, feed: str, checkpoint: Position) -> list[str]:
        """Return what lies below a committed checkpoint and is neither in the index as it is now nor a dead letter.

        What will appear below it when its transaction commits counts too: nobody will read it then. Only meant while no
        clock steps back, since a poll learns of a step after the fact.
        """
        if feed == self._world.table.name:
            return [*self._unsettled_rows(checkpoint), *self._coming(checkpoint)]
        if feed != f"syncer.tombstones of {self._world.table.name}":
            return []  # what is lost of a related table is lost in the end
        latest = {change.key: change for change in self._world.table.tombstones()}
        ghosts = {hit.key for hit in self._index.hits()} - self._world.table.documents().keys()
        return [f"{key} was deleted" for key in ghosts & latest.keys() if _below(latest[key], checkpoint)]

    def wrong(self) -> list[str]:
        """Return what the index and the dead letters hold that the table does not say, and the other way round."""
        truth, documents = self._writers.truth(), self._index.documents()
        bad = {key for key, values in truth.items() if is_bad(values)}
        letters = {letter.key for letter in self._letters()}
        hits = self._index.hits()
        return [
            *(f"lost {key}" for key in sorted(truth.keys() - documents.keys() - bad)),
            *(f"twice {hit.key}" for hit in hits if documents[hit.key] != json.loads(hit.draft.body)),
            *(f"ghost {key}" for key in sorted(documents.keys() - truth.keys())),
            *(f"stale {key}" for key in sorted(truth.keys() & documents.keys() - bad) if truth[key] != documents[key]),
            *(f"no dead letter {key}" for key in sorted(bad - letters)),
            *(f"dead letter of a good row {key}" for key in sorted(letters - bad)),
        ]

    @property
    def _index(self) -> MemoryIndex:
        return self._world.index if self._name is None else self._world.indices.indices[self._name]

    def _letters(self) -> Sequence[DeadLetter]:
        return self._world.store.dead_letters(self._name or self._world.record.name, 1000)

    def _unsettled_rows(self, checkpoint: Position) -> list[str]:
        rows = [c for c in self._world.table.changes() if c not in self._found and _below(c, checkpoint)]
        renamed = self._renamed() if rows else set()
        rows = [change for change in rows if change.key not in renamed]
        if not rows:
            return []
        truth, documents = self._own(self._writers.truth()), self._own(self._index.documents())
        letters = {letter.key for letter in self._letters()}
        if self._world.table.routed_by:
            # One that moves with a related row is away while its write is put off: the checkpoint of that row waits.
            rows = [change for change in rows if change.key in documents]
        lost = [c for c in rows if c.key not in letters and documents.get(c.key) != truth.get(c.key)]
        self._found |= set(rows) - set(lost)
        return [f"{change.key} of {change.watermark}" for change in lost]

    def _own(self, documents: Mapping[Key, Mapping[str, Any]]) -> Mapping[Key, Mapping[str, Any]]:
        """Return them without what comes of related tables, which feeds of their own tell of."""
        others = {relation.name for relation in self._world.table.relations}
        if not others:
            return documents
        return {key: {k: v for k, v in values.items() if k not in others} for key, values in documents.items()}

    def _coming(self, checkpoint: Position) -> list[str]:
        """Return rows that are not committed yet and lie below the checkpoint."""
        return [
            f"{key} of {row.watermark}, not committed yet"
            for transaction in self._writers.open
            for key, row in transaction._writes.items()
            if row and row.watermark and row.watermark < checkpoint.watermark and key not in self._renamed()
        ]

    def _renamed(self) -> set[Key]:
        """Return rows that may have another key than they had, and the same watermark: the tombstones tell of them."""
        committed = {change.key for change in self._world.table.tombstones()}
        return committed | {each.key for transaction in self._writers.open for each in transaction._tombstones}


def _below(change: Change, position: Position) -> bool:
    if change.watermark == position.watermark:
        # In the histories every key is a number, and the database orders them so.
        return position.key is not None and int((change.row or change.key)[0]) <= int(position.key[0])
    return change.watermark < position.watermark
