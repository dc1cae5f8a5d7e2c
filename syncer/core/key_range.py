"""A piece of a table, and how much of it a backfill has settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncer.core.key import Key


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys above `after`, up to and with `through`, in the database's order; None: no bound."""

    number: int
    after: Key | None
    through: Key | None
    #: How many there were when the backfill was planned.
    rows: int
    #: The keys up to and with this one are settled; None: none is.
    position: Key | None = None
    #: Keys that were sent from above `position`. When a backfill resumes, they are looked at again one by one: such a
    #: row may have been deleted since, and no range read would meet it.
    in_flight: Sequence[Key] = ()
    #: Rows settled.
    settled_rows: int = 0
    done: bool = False

    @property
    def resume_after(self) -> Key | None:
        return self.position if self.position is not None else self.after
