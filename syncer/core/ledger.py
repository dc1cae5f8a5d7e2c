"""Collects final outcomes until they are committed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from syncer.core.key import Key
from syncer.core.outcome import Applied, Outcome, Rejected, Stale
from syncer.core.report import Report
from syncer.core.settlement import Checkpoint, DeadLetter, Settlement
from syncer.core.text_counts import TextCounts


class Ledger:
    """What has been settled since the last commit. Outcomes that are put off are not its business."""

    def __init__(self) -> None:
        self._settled: dict[Key, int] = {}
        self._dead_letters: list[DeadLetter] = []
        self._texts = TextCounts()

    def note(self, key: Key, outcome: Outcome, version: int, at: datetime) -> None:
        """Enter an outcome of a write with this number."""
        match outcome:
            case Applied() | Stale():
                self._settled[key] = version
            case Rejected(kind, reason, passing):
                self._dead_letters.append(DeadLetter(key, version, kind, reason, at, passing=passing))

    def count(self, report: Report) -> None:
        """Enter the texts of a delivery."""
        self._texts += report.texts

    @property
    def entries(self) -> int:
        return len(self._settled) + len(self._dead_letters)

    def close(self, checkpoints: Mapping[str, Checkpoint] | None = None) -> Settlement:
        """Return all that was entered, as one value to commit, and begin anew."""
        settlement = Settlement(checkpoints or {}, self._dead_letters, self._settled, texts=self._texts)
        self._settled, self._dead_letters, self._texts = {}, [], TextCounts()
        return settlement
