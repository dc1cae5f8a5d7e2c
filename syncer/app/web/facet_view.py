"""Facets as choices: what is counted for a page, and where each count leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from syncer.app.web.outline import Counted, Kind
from syncer.app.web.place import Place
from syncer.app.web.search_view import text_of
from syncer.core.search.facet import Bucket, DateFacet, Facet, TermsFacet

#: Choices that are counted, and how many of them are shown before somebody asks for more.
_TERMS, _NUMBERS, SHOWN = 20, 8, 6
#: Numbers of which these few make up most documents are choices; of others only bounds are asked for.
_MOST = 0.8


@dataclass(frozen=True, slots=True)
class Choice:
    """A value, or an interval."""

    label: str
    url: str
    chosen: bool
    #: None: not counted, for others are commoner.
    count: int | None
    #: Of the commonest one, in per cent.
    share: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """The choices of one field."""

    path: str
    kind: Kind
    choices: Sequence[Choice]
    #: The bounds that are chosen, as an input has them.
    start: str = ""
    end: str = ""
    #: What a form with bounds sends beside them.
    kept: Sequence[tuple[str, str]] = ()

    @property
    def shown(self) -> Sequence[Choice]:
        return self.choices[:SHOWN]

    @property
    def more(self) -> Sequence[Choice]:
        return self.choices[SHOWN:]

    @property
    def bounded(self) -> bool:
        return self.kind is not Kind.TERMS

    @property
    def chosen(self) -> bool:
        return bool(self.start or self.end) or any(choice.chosen for choice in self.choices)


def facets(counted: Sequence[Counted]) -> dict[str, Facet]:
    """Return what to count."""
    found: dict[str, Facet] = {}
    for each in counted:
        match each.kind:
            case Kind.TERMS:
                found[each.path] = TermsFacet(each.path, _TERMS)
            case Kind.DATES:
                found[each.path] = DateFacet(each.path, "year")
            case Kind.NUMBERS:
                found[each.path] = TermsFacet(each.path, _NUMBERS)
    return found


def groups(
    counted: Sequence[Counted], found: Mapping[str, Sequence[Bucket]], total: int, place: Place
) -> Sequence[Group]:
    """Return what can be chosen from, without what would tell nothing."""
    made = (_group(each, found.get(each.path, ()), total, place) for each in counted)
    return [group for group in made if group is not None]


def _group(counted: Counted, buckets: Sequence[Bucket], total: int, place: Place) -> Group | None:
    path, kind = counted.path, counted.kind
    start, _, end = (place.bounds(path) or "..").partition("..")
    chosen = [value for field, _, value in (each.partition(":") for each in place.filters) if field == path]
    if not (buckets or chosen or start or end):
        return None
    if kind is Kind.DATES:
        choices = list(_intervals(path, buckets, place))
    else:
        choices = list(_terms(path, buckets, chosen, place))
        if not chosen and not _telling(kind, buckets, total):
            choices = []
    if kind is Kind.TERMS:
        return Group(path, kind, choices) if choices else None
    kept = [pair for pair in place.within(path, None).pairs() if pair[0] != "page"]
    return Group(
        path, kind, choices, start[:10] if kind is Kind.DATES else start, end[:10] if kind is Kind.DATES else end, kept
    )


def _telling(kind: Kind, buckets: Sequence[Bucket], total: int) -> bool:
    """Tell whether values sort documents into groups, rather than telling each from the others."""
    size = _NUMBERS if kind is Kind.NUMBERS else _TERMS
    if len(buckets) < size:
        return True
    if kind is Kind.NUMBERS:
        return sum(bucket.count for bucket in buckets) >= _MOST * total
    return buckets[0].count > 1


def _terms(path: str, buckets: Sequence[Bucket], chosen: Sequence[str], place: Place) -> Iterator[Choice]:
    most = max((bucket.count for bucket in buckets), default=1)
    known = [text_of(bucket.value) for bucket in buckets]
    for value in chosen:
        if value not in known:
            yield Choice(value, place.toggled(path, value).url, chosen=True, count=None)
    for bucket, value in zip(buckets, known, strict=True):
        if value:
            share = round(100 * bucket.count / most)
            yield Choice(value, place.toggled(path, value).url, value in chosen, bucket.count, share)


def _intervals(path: str, buckets: Sequence[Bucket], place: Place) -> Iterator[Choice]:
    """Yield years, the latest first."""
    most = max((bucket.count for bucket in buckets), default=1)
    for bucket in sorted(buckets, key=lambda bucket: str(bucket.value), reverse=True):
        year = str(bucket.value)[:4]
        end = str(bucket.end)[:10] if bucket.end is not None else _next_year(year)
        bounds = f"{str(bucket.value)[:10] if bucket.end is not None else year}..{end}"
        chosen = place.bounds(path) == bounds
        url = place.within(path, None if chosen else bounds).url
        yield Choice(year, url, chosen, bucket.count, round(100 * bucket.count / most))


def _next_year(year: str) -> str:
    return str(int(year) + 1) if year.isdecimal() else ""
