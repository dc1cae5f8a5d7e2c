"""Keys that are delivered together, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from syncer.core.key import Key
from syncer.core.outcome import Outcome
from syncer.core.report import Report

#: By key, where its document may have been besides where the row belongs now.
Routings = Mapping[Key, frozenset[str]]


class Batch(Protocol):
    """Keys to deliver together, each once."""

    @property
    def keys(self) -> Sequence[Key]: ...

    @property
    def routings(self) -> Routings: ...


@dataclass(frozen=True, slots=True)
class KeyBatch:
    """Keys of which nothing else is known."""

    keys: Sequence[Key]
    routings: Routings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a batch."""

    outcomes: Mapping[Key, Outcome]
    #: The number of the batch.
    version: int
    report: Report
    #: Keys that had to be sent a second time, with their later number.
    renumbered: Mapping[Key, int] = field(default_factory=dict)

    def number(self, key: Key) -> int:
        """Return the number that a key's outcome belongs to."""
        return self.renumbered.get(key, self.version)
