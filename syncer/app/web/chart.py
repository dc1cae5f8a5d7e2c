"""Figures over time, as small pictures that are part of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from syncer.app.commands.status import duration
from syncer.app.status_board import Sample

WIDTH, HEIGHT = 240, 44
#: A chart that has just begun is this long.
_SECONDS_MIN = 300.0

#: A moment, and what was then.
_Point = tuple[float, float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure."""

    label: str
    #: What it is now.
    latest: str
    most: str
    #: How far back it reaches.
    reach: str
    #: Points of its lines: there are gaps where nothing was known.
    lines: Sequence[str]
    #: In words, for those who do not see it.
    told: str


def charts(samples: Sequence[Sample], now: float) -> Sequence[Chart]:
    """Return the charts of a pipeline."""
    return [
        _chart("lag", [(each.at, each.lag_seconds) for each in samples], now, duration),
        _chart("written", list(_rates(samples)), now, lambda rate: "–" if rate is None else f"{_short(rate)}/s"),
        _chart("documents", [(each.at, each.documents) for each in samples], now, _counted, from_zero=False),
    ]


def _rates(samples: Sequence[Sample]) -> Iterator[_Point]:
    for before, after in pairwise(samples):
        if before.written is None or after.written is None or after.written < before.written:
            yield after.at, None  # counted from nought again: a shard was moved, or the index is another one
        else:
            yield after.at, (after.written - before.written) / (after.at - before.at)


def _chart(
    label: str, points: Sequence[_Point], now: float, shown: Callable[[float | None], str], *, from_zero: bool = True
) -> Chart:
    known = [value for _, value in points if value is not None]
    most = max(known, default=0.0)
    least = 0.0 if from_zero else min(known, default=0.0)
    # A count that never changes is a line in the middle.
    floor, span = (least, most - least) if most > least else (least, 1.0) if from_zero else (least - 1, 2.0)
    seconds = max(_SECONDS_MIN, now - points[0][0]) if points else _SECONDS_MIN

    def place(at: float, value: float) -> str:
        x = WIDTH * (1 - (now - at) / seconds)
        y = HEIGHT - 3 - (HEIGHT - 6) * (value - floor) / span
        return f"{x:.1f},{y:.1f}"

    lines: list[list[str]] = [[]]
    for at, value in points:
        if value is None:
            lines.append([])
        else:
            lines[-1].append(place(at, value))
    latest = shown(points[-1][1] if points else None)
    reach = f"{seconds / 60:.0f} min"
    return Chart(
        label,
        latest,
        shown(most) if known else "–",
        reach,
        # A single point is seen as a short line.
        [" ".join(line if len(line) > 1 else [*line, *line]) for line in lines if line],
        f"{label}: now {latest}, at most {shown(most)} within {reach}" if known else f"{label}: nothing is known yet",
    )


def _counted(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"
