"""Facets, as a request writes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from syncer.app.api.body import Body, Path, Value
from syncer.core.search import facet as core
from syncer.core.search.limit import BUCKETS_MAX, FIELDS_MAX

Interval = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]

FacetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,100}$")]


class TermsBody(Body):
    """The commonest exact values, commonest first."""

    type: Literal["terms"] = "terms"
    field: Path
    size: Annotated[int, Field(ge=1, le=BUCKETS_MAX)] = 10

    def facet(self) -> core.Facet:
        return core.TermsFacet(self.field, self.size)


class DateBody(Body):
    """Intervals of the calendar in order, those without a document left out."""

    type: Literal["date"]
    field: Path
    interval: Interval = "month"

    def facet(self) -> core.Facet:
        return core.DateFacet(self.field, self.interval)


class BoundsBody(Body):
    """From `start`, which is within, to `end`, which is not; left out: open."""

    start: Value | None = None
    end: Value | None = None


class RangesBody(Body):
    """Ranges in the given order."""

    type: Literal["range"]
    field: Path
    ranges: Annotated[tuple[BoundsBody, ...], Field(min_length=1, max_length=FIELDS_MAX)]

    def facet(self) -> core.Facet:
        return core.RangeFacet(self.field, tuple((each.start, each.end) for each in self.ranges))


FacetBody = Annotated[TermsBody | DateBody | RangesBody, Field(discriminator="type")]
