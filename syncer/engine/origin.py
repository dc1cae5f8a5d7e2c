"""Why a key is delivered: the changes that name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncer.core.change import Change
from syncer.core.key import Key
from syncer.engine.batch import Routings


@dataclass(frozen=True, slots=True)
class Origin:
    """Why a key is in a batch."""

    feed: str
    change: Change


#: Feed, row of the feed, key.
Place = tuple[str, Key | None, Key]


@dataclass(frozen=True, slots=True)
class PollBatch:
    """What is delivered together: each key once, with all that names it."""

    #: A key that no feed names comes from the dead letters.
    origins: Mapping[Key, Sequence[Origin]]

    @property
    def keys(self) -> Sequence[Key]:
        return list(self.origins)

    @property
    def routings(self) -> Routings:
        routings: dict[Key, frozenset[str]] = {}
        for key, origins in self.origins.items():
            if found := frozenset(o.change.routing for o in origins if o.change.routing is not None):
                routings[key] = found
        return routings
