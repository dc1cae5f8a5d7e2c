"""A place in a feed: a watermark and, within one watermark, a key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from syncer.core.key import Key

#: Below every watermark that Python can hold. A position here means "from the start".
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


def earlier(watermark: datetime, by: timedelta) -> datetime:
    """Return `watermark - by`, not before BEGINNING."""
    return BEGINNING if watermark - BEGINNING < by else watermark - by


@dataclass(frozen=True, slots=True)
class Position:
    """Everything in the feed below it was read and settled.

    With a key: rows of this very watermark are settled too, up to and with that key, in the database's order of keys.
    Without: none of them is.
    """

    watermark: datetime
    key: Key | None = None

    def not_above(self, watermark: datetime) -> Position:
        """Return the lower of this position and the one before all rows of `watermark`."""
        return self if self.watermark < watermark else Position(watermark)


START = Position(BEGINNING)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a feed by its watermarks, both included."""

    start: datetime
    until: datetime
