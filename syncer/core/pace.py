"""How much is sent at once: less while Elasticsearch is pressed, more while it is not."""

from __future__ import annotations

from dataclasses import dataclass

#: Of a thousand rows, one: a row that makes a whole request fail is found so, and the others go on.
SHARE_MIN = 1 / 1024
#: Grown back in sixteen quiet answers. As in TCP: additive increase, multiplicative decrease.
_STEP = 1 / 16


@dataclass(frozen=True, slots=True)
class Pace:
    """A share of what the settings allow, of rows in a batch and of batches under way alike."""

    share: float = 1.0

    def slower(self) -> Pace:
        """Return the pace after an answer that spoke of pressure."""
        return Pace(max(SHARE_MIN, self.share / 2))

    def faster(self) -> Pace:
        """Return the pace after a quiet answer."""
        return Pace(min(1.0, self.share + _STEP))

    def of(self, most: int) -> int:
        """Return this share of a limit, and 1 at least."""
        return max(1, int(most * self.share))
