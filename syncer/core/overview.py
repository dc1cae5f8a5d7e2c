"""What the state schema knows of an index beyond its record, for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from syncer.core.settlement import Checkpoint


@dataclass(frozen=True, slots=True)
class Holder:
    """The session that has a lock; None: this role may not see it."""

    pid: int
    application: str | None = None
    #: None also where it is a local one.
    address: str | None = None
    since: datetime | None = None

    def __str__(self) -> str:
        """Return what people need to find it."""
        parts = [f"pid {self.pid}", self.application, f"from {self.address}" if self.address else None]
        if self.since:
            parts.append(f"since {self.since:%Y-%m-%d %H:%M:%S} UTC")
        return ", ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class Overview:
    """How far an index is, and who is at it."""

    #: By feed.
    checkpoints: Mapping[str, Checkpoint]
    #: How many are open.
    dead_letters: int
    #: How many of them are delivered again by themselves.
    passing: int
    #: Who holds the lease; None: nobody.
    holder: Holder | None
    #: Changes of related rows that are part of many documents, some of which are still to be refreshed.
    fan_outs: int = 0
