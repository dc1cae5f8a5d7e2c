"""Checkpoints and dead letters: one value, committed in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from syncer.core.fan_out import FanOut
from syncer.core.key import Key
from syncer.core.position import Position
from syncer.core.retry import redelivery_seconds
from syncer.core.text_counts import TextCounts


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far one feed is settled, for good."""

    position: Position
    #: The source's clock at the poll that got there.
    polled_at: datetime
    #: That poll had read to the end of the feed.
    complete: bool
    #: How many of the feed's keys it has put off, and why one of them.
    deferred: int = 0
    deferred_reason: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A row that cannot be indexed as it is, kept until a good write with a higher number, or its discard."""

    key: Key
    version: int
    kind: str
    reason: str
    #: Of the last attempt.
    at: datetime
    attempts: int = 1
    #: The cause may pass: it is delivered again by itself, ever more rarely.
    passing: bool = False
    #: Of the first attempt, where there were several.
    first_at: datetime | None = None

    @property
    def since(self) -> datetime:
        return self.first_at or self.at

    @property
    def retry_at(self) -> datetime | None:
        """When it is delivered again by itself; None: never."""
        return self.at + timedelta(seconds=redelivery_seconds(self.attempts)) if self.passing else None

    def again(self, later: DeadLetter) -> DeadLetter:
        """Return what both say of one key: the reason of the higher number, the time of the later attempt."""
        newer = later if later.version >= self.version else self
        return replace(newer, at=later.at, attempts=self.attempts + later.attempts, first_at=self.since)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What one commit makes durable."""

    #: By feed.
    checkpoints: Mapping[str, Checkpoint] = field(default_factory=dict)
    dead_letters: Sequence[DeadLetter] = ()
    #: Good writes (applied, stale) and their numbers: each closes a dead letter of its key with a lower one.
    settled: Mapping[Key, int] = field(default_factory=dict)
    #: When a table was truncated, or began to be followed anew: the index is to be compared with it, once more where a
    #: comparison is under way.
    reconcile: datetime | None = None
    #: It was truncated.
    truncated: bool = False
    #: What is left of fan-outs that went on, by what they were; None: nothing.
    fanned_out: Mapping[FanOut, FanOut | None] = field(default_factory=dict)
    #: Feeds that are followed no more: their checkpoints are forgotten.
    ended: Sequence[str] = ()
    #: Fan-outs that begin, or `begun_again` where they are under way (after `fanned_out`).
    begun: Sequence[FanOut] = ()
    #: Of the deliveries that are settled; they add up in the index's record.
    texts: TextCounts = field(default_factory=TextCounts)
