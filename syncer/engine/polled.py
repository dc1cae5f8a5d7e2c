"""What came of a poll."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from syncer.core.report import Report


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll did."""

    report: Report
    #: It ended early: another poll will find more at once.
    more: bool = False
    #: Keys that are put off and join the next poll.
    deferred: int = 0
    #: How far open transactions keep the checkpoint behind the clock, beyond the margin.
    held_back: timedelta = timedelta()
    #: The longest that the other side asked to be left alone, in seconds.
    retry_after: float | None = None
    #: The index is to be compared with its source.
    reconcile: bool = False
    #: Why one of the keys is put off that are.
    deferred_reason: str | None = None
    #: Where it ended early: how far from the end of what is committed.
    behind: timedelta = timedelta()
    #: Documents that a related row is part of are still to come.
    fanning_out: bool = False
    #: Those that were so when polling began have been delivered.
    fanned_out: bool = True
    #: Changes that are remembered, so that they are not delivered again.
    window: int = 0
    #: How much is sent at once, as a share of what the settings allow.
    pace: float = 1.0

    @property
    def caught_up(self) -> bool:
        return self.fanned_out and not (self.more or self.deferred)
