"""What people are to be told of: rules over looks at the cluster and the pipelines, and when each one is told.

A rule finds conditions. One that holds for long enough fires, once; one that has not held for a minute resolves, once.
What is kept between looks is a value, so that it outlives processes. What could not be looked at neither fires nor
resolves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

#: How long a condition must not have held: one that comes and goes is told once.
QUIET = timedelta(minutes=1)


class Severity(StrEnum):
    """How soon somebody should look."""

    #: Searches or changes are lost, or about to be.
    CRITICAL = "critical"
    #: Today.
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that people are told; `name` and `labels` are what tells it from others."""

    name: str
    severity: Severity
    #: What is wrong, with the figures of now.
    message: str
    #: What to do.
    remedy: str
    #: The pipeline or the node.
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from others."""
        return (self.name, *(text for label in sorted(self.labels.items()) for text in label))


@dataclass(frozen=True, slots=True)
class Condition:
    """What holds now; it is told when it has held for so long."""

    alert: Alert
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules find in a look."""

    conditions: Sequence[Condition]
    #: Names of the alerts of which the look tells nothing.
    unjudged: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Kept:
    """An alert that holds, or has held until a moment ago."""

    alert: Alert
    #: Since when it holds.
    since: datetime
    #: When it was told; None: it does not hold for long enough yet.
    fired_at: datetime | None = None
    #: Since when it does not hold; None: it holds.
    quiet_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What comes of a judgement: what to keep, and what to tell."""

    kept: Sequence[Kept]
    fired: Sequence[Kept] = ()
    resolved: Sequence[Kept] = ()


def settle(kept: Sequence[Kept], judgement: Judgement, now: datetime) -> Settled:
    """Return what is to be kept after a look, and what has fired and resolved by it."""
    before = {one.alert.key: one for one in kept}
    remaining: list[Kept] = []
    fired: list[Kept] = []
    resolved: list[Kept] = []
    for condition in judgement.conditions:
        known = before.pop(condition.alert.key, None)
        one = replace(known, alert=condition.alert, quiet_since=None) if known else Kept(condition.alert, now)
        if one.fired_at is None and now - one.since >= timedelta(seconds=condition.seconds):
            one = replace(one, fired_at=now)
            fired.append(one)
        remaining.append(one)
    for one in before.values():
        if one.alert.name in judgement.unjudged:
            remaining.append(one)
        elif one.fired_at is not None:
            quiet = replace(one, quiet_since=one.quiet_since or now)
            (resolved if now - (quiet.quiet_since or now) >= QUIET else remaining).append(quiet)
    return Settled(remaining, fired, resolved)
