"""What searches find in place of the index that a pipeline follows."""

from __future__ import annotations

from dataclasses import dataclass

from syncer.core.error import ConfigurationError
from syncer.core.index import IndexRecord, Targets
from syncer.ports import Indices


@dataclass(frozen=True, slots=True)
class Straying:
    """An alias that does not stand for the live index alone, for writes too."""

    what: str
    remedy: str


def straying(indices: Indices, live: IndexRecord) -> Straying | None:
    """Look at the alias of a live index; None: it is as it should be. Raises SinkUnavailable."""
    targets = indices.targets(live.alias)
    if targets.just(live.name):
        return None
    promote = f"syncer promote {live.pipeline}"
    try:
        indices.prove_alias(live.alias, live.pipeline)
    except ConfigurationError:
        promote += " --take-over"
    return Straying(f"alias {live.alias} {_found(targets, live)}", promote)


def _found(targets: Targets, live: IndexRecord) -> str:
    if targets.is_index:
        return f"is an index, so that searches do not find {live.name}"
    if not targets.indices:
        return f"is missing, so that searches do not find {live.name}"
    if targets.indices.keys() == {live.name}:
        return f"points to {live.name}, but not for writes"
    return f"points to {', '.join(sorted(targets.indices))}, not to {live.name} alone"
