"""When an alert is told: once when it holds for long enough, once when it does not any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from syncer.core.alert import QUIET, Alert, Condition, Judgement, Kept, Severity, settle

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
RED = Alert("Red", Severity.CRITICAL, "the cluster is red", "look")


def told(judgements: Sequence[tuple[float, Judgement]]) -> list[tuple[float, str]]:
    """Return what is told of judgements, each made so many seconds after noon."""
    kept: Sequence[Kept] = ()
    found: list[tuple[float, str]] = []
    for seconds, judgement in judgements:
        settled = settle(kept, judgement, NOON + timedelta(seconds=seconds))
        kept = settled.kept
        found += [(seconds, f"firing {one.alert.name}") for one in settled.fired]
        found += [(seconds, f"resolved {one.alert.name}") for one in settled.resolved]
    return found


def holds(seconds: float = 0.0) -> Judgement:
    return Judgement([Condition(RED, seconds)])


NOTHING = Judgement([])
UNKNOWN = Judgement([], frozenset({"Red"}))


def test_what_holds_fires_once_and_resolves_once() -> None:
    """However often it is looked."""
    looks = [(0.0, holds()), (15.0, holds()), (30.0, NOTHING), (45.0, NOTHING), (91.0, NOTHING), (106.0, NOTHING)]
    assert told(looks) == [(0.0, "firing Red"), (91.0, "resolved Red")]


def test_it_must_hold_for_long_enough() -> None:
    """And without a break."""
    looks = [(0.0, holds(60)), (45.0, holds(60)), (50.0, NOTHING), (55.0, holds(60)), (114.0, holds(60))]
    assert told(looks) == []
    assert told([*looks, (115.0, holds(60))]) == [(115.0, "firing Red")]


def test_what_comes_and_goes_is_told_once() -> None:
    """It must be gone for a minute."""
    looks = [(30.0 * number, holds() if number % 2 == 0 else NOTHING) for number in range(20)]
    assert told(looks) == [(0.0, "firing Red")]


def test_what_cannot_be_looked_at_neither_fires_nor_resolves() -> None:
    """The server is away."""
    away = [(60.0 * number, UNKNOWN) for number in range(1, 10)]
    assert told([(0.0, holds()), *away]) == [(0.0, "firing Red")]
    assert told(away) == []
    assert told([(0.0, holds()), *away, (600.0, NOTHING), (660.0, NOTHING)])[-1] == (660.0, "resolved Red")


def test_labels_tell_alerts_apart_and_figures_do_not() -> None:
    """A message has the figures of now."""
    one, other = (Alert("Disk", Severity.CRITICAL, "90 %", "", {"node": name}) for name in ("a", "b"))
    settled = settle([], Judgement([Condition(one), Condition(other)]), NOON)
    assert [kept.alert for kept in settled.fired] == [one, other]
    fuller = Alert("Disk", Severity.CRITICAL, "95 %", "", {"node": "a"})
    later = settle(settled.kept, Judgement([Condition(fuller), Condition(other)]), NOON + QUIET)
    assert (later.fired, later.resolved) == ([], [])
    assert later.kept[0] == Kept(fuller, NOON, NOON)
