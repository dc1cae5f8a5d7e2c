"""Counts of what is found, by the values of a field."""

from __future__ import annotations

from dataclasses import dataclass

from syncer.core.search.condition import Value


@dataclass(frozen=True, slots=True)
class TermsFacet:
    """The commonest exact values, commonest first."""

    field: str
    size: int = 10


@dataclass(frozen=True, slots=True)
class DateFacet:
    """Intervals of the calendar in order, those without a document left out."""

    field: str
    #: `minute`, `hour`, `day`, `week`, `month`, `quarter` or `year`.
    interval: str = "month"


@dataclass(frozen=True, slots=True)
class RangeFacet:
    """Ranges `[from, to)` in the given order; None is open."""

    field: str
    ranges: tuple[tuple[Value | None, Value | None], ...]


Facet = TermsFacet | DateFacet | RangeFacet


@dataclass(frozen=True, slots=True)
class Bucket:
    """One line of a facet."""

    #: What to filter by; of an interval its beginning, of a range both bounds as text.
    value: Value
    count: int
    #: The interval's or range's bounds; None where it is open, and for terms.
    start: Value | None = None
    end: Value | None = None


def range_bucket(start: Value | None, end: Value | None, count: int) -> Bucket:
    """Return the line of a range."""
    bounds = ("*" if bound is None else str(bound) for bound in (start, end))
    return Bucket("-".join(bounds), count, start, end)
