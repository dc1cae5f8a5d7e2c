"""Why a key is delivered: the changes that name it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from syncer.core.change import Change
from syncer.core.key import Key
from syncer.engine.batch import Routings


@dataclass(frozen=True, slots=True)
class Origin:
    """Why a key is in a batch."""

    feed: str
    change: Change


#: A key and what names it; None: no feed does.
Named = tuple[Key, Origin | None]
#: How many times the keys of a batch may be named on the average: one document may be made of a million rows.
NAMED_MAX = 10

#: Feed, row of the feed, key.
Place = tuple[str, Key | None, Key]


@dataclass(frozen=True, slots=True)
class PollBatch:
    """What is delivered together: each key once, with all that names it."""

    #: A key that no feed names comes from the dead letters, or from a fan-out.
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


def joined(named: Iterable[Named], rows: Callable[[], int]) -> Iterator[PollBatch]:
    """Join what is named into batches of so many keys, in each of which a key is once."""
    pending: dict[Key, list[Origin]] = {}
    count = 0
    for key, origin in named:
        full = len(pending) >= rows() and key not in pending
        if full or count >= NAMED_MAX * rows():
            yield PollBatch(pending)
            pending, count = {}, 0
        pending.setdefault(key, []).extend([origin] if origin is not None else ())
        count += 1
    if pending:
        yield PollBatch(pending)
