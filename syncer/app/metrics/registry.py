"""What `/metrics` exports."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, ProcessCollector

from syncer.app.metrics.looked import LookCollector
from syncer.app.status_board import StatusBoard


def registry(board: StatusBoard) -> CollectorRegistry:
    """Return what knows of the process and of the last look; what is counted joins it, see `Measured`.

    Not the one that the library has for the whole program, where tests would meet.
    """
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    made.register(LookCollector(lambda: board.last))
    return made
