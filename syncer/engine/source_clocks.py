"""How far a source's clock was set back."""

from __future__ import annotations

from datetime import datetime, timedelta


class SourceClocks:
    """By feed, the source's clock and this process's at its last settled poll; outlives connections and pollers."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[datetime, float]] = {}

    def slip(self, feed: str, clock: datetime, monotonic: float) -> timedelta:
        """Return how much less the source's clock advanced than ours; never negative."""
        if feed not in self._seen:
            return timedelta()
        clock_before, monotonic_before = self._seen[feed]
        return max(timedelta(), timedelta(seconds=monotonic - monotonic_before) - (clock - clock_before))

    def settled(self, feed: str, clock: datetime, monotonic: float) -> None:
        """Remember a settled poll; `monotonic` was read before the clock."""
        self._seen[feed] = (clock, monotonic)
