"""How long queries took lately."""

from __future__ import annotations

import math
from collections import deque
from threading import Lock

from syncer.core.alert_rule import QueryLook

WINDOW_SECONDS = 600.0
#: Of fewer the one that ninety-nine of a hundred keep to would be the slowest of all.
_QUERIES_MIN = 100
_QUERIES_MAX = 20_000


class QueryTimes:
    """Those of one kind, for some minutes. Safe for several threads."""

    def __init__(self, **labels: str) -> None:
        self._labels = tuple(labels.items())
        self._since: float | None = None
        self._lock = Lock()
        #: When they were asked, on the monotonic scale, and how long they took.
        self._times: deque[tuple[float, float]] = deque(maxlen=_QUERIES_MAX)

    def add(self, at: float, seconds: float) -> None:
        with self._lock:
            self._times.append((at, seconds))

    def look(self, now: float) -> QueryLook:
        """Return what they were until now; the first look begins the time that they are measured for."""
        with self._lock:
            self._since = now if self._since is None else self._since
            whole = now - self._since >= WINDOW_SECONDS
            while self._times and self._times[0][0] < now - WINDOW_SECONDS:
                self._times.popleft()
            times = sorted(seconds for _, seconds in self._times)
        # The nearest rank.
        p99 = times[math.ceil(0.99 * len(times)) - 1] if len(times) >= _QUERIES_MIN else None
        return QueryLook(self._labels, p99, len(times), WINDOW_SECONDS / 60, whole)
