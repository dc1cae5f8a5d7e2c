"""What the state schema knows of an index beyond its record, for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncer.core.settlement import Checkpoint


@dataclass(frozen=True, slots=True)
class Overview:
    """How far an index is, and who is at it."""

    #: By feed.
    checkpoints: Mapping[str, Checkpoint]
    #: How many are open.
    dead_letters: int
    #: How many of them are delivered again by themselves.
    passing: int
    #: Who holds the lease, as far as this role may see; None: nobody.
    holder: str | None
    #: Changes of related rows that are part of many documents, some of which are still to be refreshed.
    fan_outs: int = 0
