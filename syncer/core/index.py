"""A physical index and what the state schema knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from syncer.core.source_state import SourceIdentity


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
    """How far a physical index has come."""

    #: Named in the state, perhaps not created yet.
    NEW = "new"
    #: Created; the first load runs, or was interrupted.
    LOADING = "loading"
    #: Behind the alias, followed by polls.
    LIVE = "live"


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
    #: When the table was truncated, until the index was compared with it.
    reconcile: datetime | None = None

    @property
    def write_alias(self) -> str:
        return write_alias(self.name)


def write_alias(index: str) -> str:
    """Return the alias that every bulk of a physical index goes to, with `require_alias`.

    A bulk to the name of a missing index would silently create one without mapping.
    """
    return f"{index}-write"


def physical_name(alias: str, at: datetime) -> str:
    """Return the name of a new physical index; to the millisecond, for a rebuild may follow a load at once."""
    return f"{alias}-{at:%Y%m%d-%H%M%S}-{at.microsecond // 1000:03}"
