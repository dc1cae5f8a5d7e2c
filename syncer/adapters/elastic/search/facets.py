"""Facets as aggregations, and their answers as counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from syncer.adapters.elastic.search.conditions import checked
from syncer.adapters.elastic.search.declared import DATES, NUMBERS, Declared, Leaf
from syncer.core.error import RequestInvalid
from syncer.core.search.condition import Condition, Value, condition_fields
from syncer.core.search.facet import Bucket, DateFacet, Facet, RangeFacet, TermsFacet, range_bucket
from syncer.core.search.limit import BUCKETS_MAX
from syncer.core.suggestion import suggestion

_MONTHS: Mapping[str, int] = {"month": 1, "quarter": 3, "year": 12}
_LENGTHS: Mapping[str, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Group:
    """Facets that count the same documents: one search counts them all."""

    conditions: tuple[Condition, ...]
    #: By a name of our own, for Elasticsearch does not take every name.
    aggregations: Mapping[str, Any]


def groups(facets: Mapping[str, Facet], conditions: Sequence[Condition], declared: Declared) -> list[Group]:
    """Return what to count. Raises RequestInvalid.

    A facet heeds no condition on its own field, and on nothing else: with it, it would only show what is chosen.
    """
    found: dict[tuple[Condition, ...], dict[str, Any]] = {}
    for number, (name, facet) in enumerate(facets.items()):
        others = tuple(each for each in conditions if set(condition_fields(each)) != {facet.field})
        found.setdefault(others, {})[_name(number)] = _aggregation(f"facets.{name}", facet, declared)
    return [Group(others, aggregations) for others, aggregations in found.items()]


def buckets(facets: Mapping[str, Facet], counted: Mapping[str, Any], declared: Declared) -> dict[str, list[Bucket]]:
    """Return the counts by the names of the facets; counted: all aggregations of all groups. Raises RequestInvalid."""
    return {
        name: _buckets(f"facets.{name}", facet, counted[_name(number)]["buckets"], declared)
        for number, (name, facet) in enumerate(facets.items())
    }


def _name(number: int) -> str:
    return f"facet{number}"


def _aggregation(part: str, facet: Facet, declared: Declared) -> dict[str, Any]:
    leaf = declared.single(f"{part}.field", facet.field, purpose="counted by")
    match facet:
        case TermsFacet(size=size):
            return {"terms": {"field": leaf.exact, "size": size}}
        case DateFacet(interval=interval):
            if leaf.kind not in DATES:
                raise RequestInvalid(f"{part}.field", f"{leaf.path} holds no dates, for its type is {leaf.kind}")
            known = [*_LENGTHS, *_MONTHS]
            if interval not in known:
                raise RequestInvalid(
                    f"{part}.interval", f"there is no interval {interval!r}", hint=suggestion(interval, known)
                )
            return {"date_histogram": {"field": leaf.exact, "calendar_interval": interval, "min_doc_count": 1}}
        case RangeFacet(ranges=ranges):
            return _ranges(part, leaf, ranges)


def _ranges(part: str, leaf: Leaf, ranges: Sequence[tuple[Value | None, Value | None]]) -> dict[str, Any]:
    if leaf.kind not in NUMBERS | DATES:
        raise RequestInvalid(
            f"{part}.field", f"{leaf.path} holds neither numbers nor dates, for its type is {leaf.kind}"
        )
    asked: list[dict[str, Any]] = []
    for number, (start, end) in enumerate(ranges):
        bounds = {"from": start, "to": end}
        given = {
            name: checked(f"{part}.ranges.{number}", leaf, bound) for name, bound in bounds.items() if bound is not None
        }
        if not given:
            raise RequestInvalid(f"{part}.ranges.{number}", "has no bounds")
        # By its number: the answer has them in an order of its own.
        asked.append({"key": str(number), **given})
    kind = "date_range" if leaf.kind in DATES else "range"
    return {kind: {"field": leaf.exact, "ranges": asked}}


def _buckets(part: str, facet: Facet, found: Sequence[Mapping[str, Any]], declared: Declared) -> list[Bucket]:
    match facet:
        case TermsFacet(field=field):
            kind = declared.leaf(part, field).kind
            return [Bucket(_term(bucket, kind), bucket["doc_count"]) for bucket in found]
        case DateFacet(interval=interval):
            if len(found) > BUCKETS_MAX:
                raise RequestInvalid(
                    f"{part}.interval",
                    f"there are {len(found):,} intervals of a {interval}, and at most {BUCKETS_MAX:,} are returned",
                    hint="choose a longer one, or narrow the search",
                )
            return [_interval(bucket, interval) for bucket in found]
        case RangeFacet(ranges=ranges):
            counts = {bucket["key"]: bucket["doc_count"] for bucket in found}
            return [range_bucket(start, end, counts.get(str(number), 0)) for number, (start, end) in enumerate(ranges)]


def _term(bucket: Mapping[str, Any], kind: str) -> Value:
    value: Value = bucket["key"]
    if kind == "boolean":
        return bool(bucket.get("key_as_string", str(value).lower()) == "true")
    if kind in DATES and isinstance(value, int | float):
        moment = _moment(value)
        return str(bucket.get("key_as_string", value)) if moment is None else _iso(moment)
    return value


def _interval(bucket: Mapping[str, Any], interval: str) -> Bucket:
    start = _moment(bucket["key"])
    if start is None:
        return Bucket(str(bucket.get("key_as_string", bucket["key"])), bucket["doc_count"])
    end = _after(start, interval)
    return Bucket(_iso(start), bucket["doc_count"], _iso(start), None if end is None else _iso(end))


def _after(start: datetime, interval: str) -> datetime | None:
    try:
        if interval in _LENGTHS:
            return start + _LENGTHS[interval]
        months = start.year * 12 + start.month - 1 + _MONTHS[interval]
        return start.replace(year=months // 12, month=months % 12 + 1)
    except (OverflowError, ValueError):
        return None


def _moment(milliseconds: float) -> datetime | None:
    """Return the time; None: Python knows no such year."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _iso(moment: datetime) -> str:
    """Return the text of a time; of a midnight, as all but the shortest intervals begin with, the date."""
    if moment.time() == datetime.min.time():
        return moment.date().isoformat()
    return moment.isoformat().replace("+00:00", "Z")
