"""How many rows may be rejected before a broken mapping buries the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from syncer.core.error import TooManyRejections
from syncer.core.key import document_id
from syncer.core.settlement import DeadLetter


@dataclass(frozen=True, slots=True)
class Budget:
    """The limit on open dead letters of one index; not of one run, for a daemon's run is its lifetime."""

    open_max: int

    def spend(self, open_now: int, added: Sequence[DeadLetter]) -> None:
        """Raise TooManyRejections, with the commonest reason and an example, where the limit is passed."""
        if open_now <= self.open_max or not added:
            return
        kind, count = Counter(letter.kind for letter in added).most_common(1)[0]
        example = next(letter for letter in added if letter.kind == kind)
        said, _, _ = example.reason.partition("\n")  # a traceback may follow
        raise TooManyRejections(
            f"{open_now} rows are rejected, more than limits.rejections = {self.open_max} allows; "
            f"most lately {kind} ({count} of {len(added)}), "
            f"for example row {document_id(example.key)}: {said}",
            hint="mend the rows or the field's type, or raise limits.rejections; the rows are kept as dead letters",
        )
