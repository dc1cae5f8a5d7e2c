"""The shards of an index, each of which may hold a document of one id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from syncer.core.key import Key, document_id


class Shards:
    """Tells which shard a routing leads to."""

    def __init__(self, number: int, shard_of: Callable[[str], int]) -> None:
        """shard_of: of a routing, or of an id where there is none."""
        self._shard_of = shard_of
        found: dict[int, str] = {}
        for routing in map(str, count()):
            if len(found) == number:
                break
            found.setdefault(shard_of(routing), routing)
        #: By shard, a routing that leads to it.
        self._leading = found

    def others(self, key: Key, routing: str | None) -> Sequence[str]:
        """Return a routing for each shard but that of a document of this key and routing."""
        own = self._shard_of(routing or document_id(key))
        return [leading for shard, leading in self._leading.items() if shard != own]
