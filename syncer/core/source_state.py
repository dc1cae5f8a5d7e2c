"""What a poll learns of the source before it reads a row."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """Which server this is, in which life: a change means that its clock or its data may have gone back."""

    system_identifier: str
    started_at: datetime
    timeline: int


@dataclass(frozen=True, slots=True)
class Observation:
    """The source's clock, and then the transactions that were open."""

    #: Taken before the transactions were listed.
    clock: datetime
    #: By transaction, its start where this role may see it.
    open_since: Mapping[str, datetime | None]
    #: Those of them that are prepared for a commit in two phases.
    prepared: Set[str] = frozenset()

    def on_wall_clock(self, zone: str) -> Observation:
        """Return it as a column without time zone sees it: local times, labelled UTC.

        A step of the local clock (daylight saving) then is a step of the clock like any other.
        """

        def wall(instant: datetime) -> datetime:
            return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)

        open_since = {name: since and wall(since) for name, since in self.open_since.items()}
        return Observation(wall(self.clock), open_since, self.prepared)


@dataclass(frozen=True, slots=True)
class Blocker:
    """An open transaction that holds the horizon, as shown to people."""

    pid: int | None
    application_name: str
    state: str
    #: None where this role may not see it.
    since: datetime | None
