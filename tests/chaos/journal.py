"""What the writers did to each row, and when: the history of a row that ends wrong."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Transaction:
    """One transaction of one writer; `end` says how it ended, as far as the writer knows."""

    writer: str
    number: int
    shape: str
    end: str = "open"
    ended_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement about one key."""

    seconds: float
    what: str
    revision: int
    transaction: Transaction

    def __str__(self) -> str:
        t = self.transaction
        return (
            f"{self.seconds:8.3f}  {self.what:<10} revision {self.revision}  "
            f"{t.writer} #{t.number} {t.shape}: {t.end} at {t.ended_seconds:.3f}"
        )


@dataclass(slots=True)
class Journal:
    """Safe for several threads; times are seconds since it was begun."""

    begun: float = field(default_factory=time.monotonic)
    changes: int = 0
    _entries: dict[int, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    _faults: list[tuple[float, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def note(self, transaction: Transaction, what: str, revision: int, keys: Iterable[int]) -> None:
        """Note a statement that is about to be sent."""
        entry = Entry(self.seconds, what, revision, transaction)
        with self._lock:
            self.changes += 1
            for key in keys:
                self._entries[key].append(entry)

    def ended(self, transaction: Transaction, end: str) -> None:
        transaction.end, transaction.ended_seconds = end, self.seconds

    def fault(self, what: str) -> None:
        """Note what was done to the servers."""
        with self._lock:
            self._faults.append((self.seconds, what))

    def revisions(self, key: int) -> set[int]:
        """Return the revisions that the row may ever have had; 0 is that of the first rows."""
        return {0} | {entry.revision for entry in self._entries.get(key, ())}

    def history(self, key: int, last: int = 12) -> str:
        """Return the last entries of a key."""
        entries = self._entries.get(key, [])[-last:]
        return "\n".join([f"row {key}:", *(f"  {entry}" for entry in entries)])

    def faults(self) -> str:
        """Return what was done to the servers, in order."""
        return "\n".join(f"{seconds:8.3f}  {what}" for seconds, what in self._faults)
