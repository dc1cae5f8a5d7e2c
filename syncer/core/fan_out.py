"""Documents that one change of a related row leads to, where they are more than a page holds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from syncer.core.key import Key


@dataclass(frozen=True, slots=True)
class FanOut:
    """What is left of them, in the database's order of their keys: in a circle, where the row changes meanwhile.

    It is delivered a portion at a time, so that fresh changes need not wait for it, and kept with the checkpoints, so
    that a feed may go on behind the row.
    """

    #: From documents to the row's table: its feed of changes and that of its tombstones have the same.
    way: str
    #: The row's values in the columns of the last join, each as text.
    reached_by: Key
    #: Those behind this one are left; None: from the first one on.
    after: Key | None = None
    #: Up to and with this one; None: to the last one.
    through: Key | None = None
    #: And then, from the first one on, up to and with this one: what was delivered before the row changed again.
    again: Key | None = None

    @property
    def place(self) -> tuple[str, Key]:
        """What tells it from others."""
        return self.way, self.reached_by

    def begun_again(self) -> FanOut:
        """Return what is left when the row changes once more: one whole circle, from here on.

        Not from the first document: a row that keeps changing would keep the last ones from ever being reached.
        """
        return replace(self, through=None, again=self.after)

    def advanced(self, last: Key | None) -> FanOut | None:
        """Return what is left behind `last`, or where there is no further document in reach (None); None: nothing."""
        if last is not None:
            return replace(self, after=last)
        return replace(self, after=None, through=self.again, again=None) if self.again is not None else None
