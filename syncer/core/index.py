"""A physical index and what the state schema knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from syncer.core.source_state import SourceIdentity
from syncer.core.text_counts import TextCounts

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class IndexIdentity:
    """What makes an index the one that a checkpoint was made for.

    A snapshot restored over a closed index keeps the UUID, so the history of each primary shard belongs to it.
    """

    uuid: str
    #: By shard number.
    histories: Mapping[str, str]
    #: Shards whose primary is away, so that nothing is known of them now.
    away: int = field(default=0, compare=False)

    def may_be(self, known: IndexIdentity) -> bool:
        """Tell whether nothing of what is seen here contradicts what is known of an index."""
        return self.uuid == known.uuid and self.histories.items() <= known.histories.items()


class Phase(StrEnum):
    """How far a physical index has come: downwards, and from KEPT to PUBLISHING again when it is rolled back to."""

    #: Named in the state, perhaps not created yet.
    NEW = "new"
    #: Created; the first load runs, or was interrupted.
    LOADING = "loading"
    #: Every row was delivered once; polls deliver what has changed meanwhile.
    LOADED = "loaded"
    #: Found equal to the table, with the settings for searches; waits to be promoted.
    READY = "ready"
    #: Chosen: the alias is being pointed to it.
    PUBLISHING = "publishing"
    #: Behind the alias, followed by polls.
    LIVE = "live"
    #: Was behind the alias; can be rolled back to until it is retired.
    KEPT = "kept"
    #: Given up: it is deleted before its record is.
    DELETING = "deleting"


class Role(StrEnum):
    """What a physical index is to its pipeline, which has at most one of the first two."""

    #: The one that the daemon follows; searched, once it is loaded.
    LIVE = "live"
    #: To take its place.
    BUILDING = "building"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """The state schema's row for a physical index."""

    name: str
    pipeline: str
    alias: str
    phase: Phase
    epoch: int
    #: Digests by part; empty until the index is created.
    fingerprint: Mapping[str, str]
    identity: IndexIdentity | None = None
    source: SourceIdentity | None = None
    #: Why the index should be compared with the source, where there is reason to.
    verify_needed: str | None = None
    #: When it was last found equal to the source.
    verified_at: datetime | None = None
    #: When a table was truncated, or what is noted or read of it began anew; until the index was compared with it.
    reconcile: datetime | None = None
    #: When one was truncated, the last time: that comparison may delete however much; any other, `limits.delete_ratio`.
    truncated: datetime | None = None
    #: The index that the pipeline's daemon follows and searches find; of one pipeline no other.
    followed: bool = True
    #: What the fingerprint is of, by part, so that a difference can be told in words.
    definition: Mapping[str, Any] = field(default_factory=dict)
    #: Fields were added in place, and a backfill has still to fill them.
    filling: bool = False
    #: Since when it is kept.
    kept_since: datetime | None = None
    #: Signatures of the configurations that this one has replaced, the latest last.
    superseded: tuple[str, ...] = ()
    #: Of all deliveries into it.
    texts: TextCounts = field(default_factory=TextCounts)

    @property
    def write_alias(self) -> str:
        return write_alias(self.name)

    @property
    def role(self) -> Role:
        if self.followed:
            return Role.LIVE
        return Role.KEPT if self.phase in {Phase.KEPT, Phase.DELETING} else Role.BUILDING


@dataclass(frozen=True, slots=True)
class Health:
    """Where the shards of an index are."""

    #: All copies are there.
    green: bool
    #: All primaries are there.
    yellow: bool
    #: Copies that are on their way.
    moving: int
    #: Copies that are nowhere.
    unassigned: int
    #: There are fewer data nodes than copies of a shard, so that some will stay nowhere.
    crowded: bool = False


@dataclass(frozen=True, slots=True)
class Targets:
    """What a name that searches use stands for."""

    #: By index behind the alias, whether writes to the alias go there.
    indices: Mapping[str, bool]
    #: No alias: an index is called so.
    is_index: bool = False

    def just(self, index: str) -> bool:
        """Tell whether it is an alias of this index alone, for writes too."""
        return self.indices == {index: True}


@dataclass(frozen=True, slots=True)
class IndexStatistics:
    """What an index takes."""

    documents: int
    #: Of the primary shards.
    bytes: int
    health: str
    #: Documents written since a shard was last started or moved; None: not known.
    written: int | None = None


def kept_newest_first(records: Iterable[IndexRecord]) -> Sequence[IndexRecord]:
    """Return those of the kept ones, the one that was live last first."""
    kept = [record for record in records if record.role is Role.KEPT]
    return sorted(kept, key=lambda record: record.kept_since or _NEVER, reverse=True)


def write_alias(index: str) -> str:
    """Return the alias that every bulk of a physical index goes to, with `require_alias`.

    A bulk to the name of a missing index would silently create one without mapping.
    """
    return f"{index}-write"


def physical_name(alias: str, at: datetime) -> str:
    """Return the name of a new physical index; to the millisecond, for a rebuild may follow a load at once."""
    return f"{alias}-{at:%Y%m%d-%H%M%S}-{at.microsecond // 1000:03}"
