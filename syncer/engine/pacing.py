"""Adapts how much one pipeline sends to what Elasticsearch takes."""

from __future__ import annotations

import threading

from syncer.core.pace import Pace


class Pacing:
    """The pace of a pipeline, kept over sessions and shared by its threads.

    An answer speaks of the pace that its batch was sent at: of several batches under way together, the first that meets
    pressure halves the pace, and the others say nothing new. Rejected: to halve for each, which falls to the least pace
    at the first hiccup.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pace = Pace()
        self._turn = 0

    @property
    def pace(self) -> Pace:
        return self._pace

    @property
    def turn(self) -> int:
        """Counts the times that the pace was reduced."""
        return self._turn

    def answered(self, turn: int, *, pressed: bool) -> None:
        """Take note of the answer to a batch that was sent in this turn."""
        with self._lock:
            if turn != self._turn:
                return
            if pressed:
                self._pace, self._turn = self._pace.slower(), turn + 1
            else:
                self._pace = self._pace.faster()
