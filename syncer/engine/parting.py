"""What a load has written is made searchable piece by piece, while it goes on."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Lock

from syncer.engine.pipeline import Pipeline

#: A piece, at least. Smaller ones cost merges: with 3,000 rows a load of 50,000 takes a fifth longer. Left to the end,
#: all of it at once takes one processor, for as long as a third of the load.
PIECE_ROWS = 5_000
#: And at least such a part of all rows: with pieces of 5,000 a load of 500,000 takes 6 % more processor time.
_PIECES_MAX = 20


class Parting:
    """Parts an index beside its load, one piece at a time; for several threads."""

    def __init__(self, pipeline: Pipeline, index: str) -> None:
        self._pipeline = pipeline
        self._index = index
        self._lock = Lock()
        self._parted = 0
        self._latest: Future[None] | None = None

    def written(self, rows: int, total: int) -> None:
        """Begin another piece where enough rows of all were written, and with the first. Raises what `part` did."""
        with self._lock:
            if rows < self._parted + (max(PIECE_ROWS, total // _PIECES_MAX) if self._latest else 1):
                return
            if self._latest is not None:
                if not self._latest.done():
                    return
                self._latest.result()
            self._parted = rows
            self._latest = self._pipeline.executor.submit(self._pipeline.indices.part, self._index)

    def end(self) -> None:
        """Wait for the last piece. Raises what `part` did."""
        if self._latest is not None:
            self._latest.result()
