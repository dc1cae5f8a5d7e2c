"""Searching documents in memory: as many words as possible, conditions, pages and facets; no stemming, no meaning."""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from typing import Any

from syncer.core.error import RequestInvalid
from syncer.core.search.condition import (
    Condition,
    Exists,
    Near,
    Not,
    OneOf,
    Prefix,
    Range,
    Term,
    condition_fields,
)
from syncer.core.search.facet import Bucket, DateFacet, Facet, RangeFacet, TermsFacet, range_bucket
from syncer.core.search.limit import prove_bounds, prove_conditions
from syncer.core.search.path import values_at
from syncer.core.search.request import SCORE, Mode, Request, Sort
from syncer.core.search.result import Completion, Hit, Result
from syncer.core.suggestion import suggestion

Document = Mapping[str, Any]


class MemorySearcher:
    """Implements `AsyncSearcher`. Distances are taken for small ones, dates for their text; a facet of dates has one
    interval for each day or longer."""

    def __init__(self, documents: Mapping[str, Document], fields: Sequence[str], secret: bytes = b"") -> None:
        """fields: the paths that may be named. secret: signs cursors."""
        self.documents = dict(documents)
        self._fields = fields
        self._secret = secret

    async def search(self, request: Request) -> Result:
        """Return the documents that hold most words of the text."""
        self._check(request)
        found = self._ranked(request.text, request.conditions)
        for by in reversed(request.sort):
            found = _sorted(found, by)
        start = self._start(request)
        page = [self._shown(hit, request) for hit in found[start : start + request.size]]
        more = start + request.size < len(found)
        return Result(
            mode=request.mode or Mode.KEYWORD,
            hits=page,
            total=len(found),
            exact=True,
            facets={name: self._buckets(facet, request) for name, facet in request.facets.items()},
            cursor=self._cursor(request, start + request.size) if more and (request.paged or request.cursor) else None,
        )

    async def suggest(
        self, text: str, *, field: str | None = None, size: int = 8, conditions: Sequence[Condition] = ()
    ) -> Sequence[Completion]:
        self._declared("field", field)
        self._check_conditions(conditions)
        found: dict[str, Completion] = {}
        for id, document in self._within(conditions):
            for path in [field] if field else self._fields:
                for value in values_at(path, document):
                    if isinstance(value, str) and value.lower().startswith(text.lower()):
                        found.setdefault(value, Completion(id, path, value))
        return list(islice(found.values(), size))

    async def similar(self, id: str, *, size: int = 10, conditions: Sequence[Condition] = ()) -> Result | None:
        document = await self.document(id, conditions=conditions)
        if document is None:
            return None
        text = " ".join(word for value in document.values() if isinstance(value, str) for word in _words(value))
        hits = [hit for hit in self._ranked(text, conditions) if hit.id != id]
        return Result(Mode.KEYWORD, hits[:size], len(hits), exact=True)

    async def document(self, id: str, *, conditions: Sequence[Condition] = ()) -> Document | None:
        self._check_conditions(conditions)
        document = self.documents.get(id)
        return document if document is not None and all(meets(document, each) for each in conditions) else None

    def _within(self, conditions: Sequence[Condition]) -> Iterator[tuple[str, Document]]:
        for id, document in self.documents.items():
            if all(meets(document, each) for each in conditions):
                yield id, document

    def _ranked(self, text: str, conditions: Sequence[Condition]) -> list[Hit]:
        wanted = set(_words(text))
        scored = [
            (len(wanted & {word for path in self._fields for word in _words_of(document, path)}), id, document)
            for id, document in self._within(conditions)
        ]
        best = sorted((each for each in scored if each[0] or not wanted), key=lambda each: -each[0])
        return [
            Hit(id, float(score), document, {Mode.KEYWORD.value: rank})
            for rank, (score, id, document) in enumerate(best, start=1)
        ]

    def _shown(self, hit: Hit, request: Request) -> Hit:
        wanted = set(_words(request.text))
        marked = {path: _marked(hit.source, path, wanted) for path in request.highlight}
        names = None if request.fields is None else {path.partition(".")[0] for path in request.fields}
        return replace(
            hit,
            score=None if request.sort else hit.score,
            source={name: value for name, value in hit.source.items() if names is None or name in names},
            highlights={path: pieces for path, pieces in marked.items() if pieces},
            explanations={Mode.KEYWORD.value: {"words": hit.score}} if request.explain else {},
        )

    def _buckets(self, facet: Facet, request: Request) -> Sequence[Bucket]:
        others = [each for each in request.conditions if set(condition_fields(each)) != {facet.field}]
        found = [values_at(facet.field, hit.source) for hit in self._ranked(request.text, others)]
        match facet:
            case TermsFacet(size=size):
                counts = Counter(value for values in found for value in set(values))
                return [Bucket(value, count) for value, count in counts.most_common(size)]
            case DateFacet(interval=interval):
                length = {"year": 4, "month": 7}.get(interval, 10)
                dates = Counter(str(values[0])[:length] for values in found if values)
                return [Bucket(date, count, start=date) for date, count in sorted(dates.items())]
            case RangeFacet(ranges=ranges):
                return [
                    range_bucket(
                        start, end, sum(any(_between(value, gte=start, lt=end) for value in values) for values in found)
                    )
                    for start, end in ranges
                ]

    def _start(self, request: Request) -> int:
        if request.cursor is None:
            return request.offset
        start, _, _ = request.cursor.partition(".")
        if not start.isdecimal() or self._cursor(request, int(start)) != request.cursor:
            raise RequestInvalid("cursor", "is not one of this search", hint="ask for the first page again")
        return int(start)

    def _cursor(self, request: Request, start: int) -> str:
        same = replace(request, cursor=None, offset=0, size=0, paged=True, facets={}, highlight=(), fields=None)
        return f"{start}.{blake2b(f'{start}{same}'.encode(), key=self._secret, digest_size=16).hexdigest()}"

    def _check(self, request: Request) -> None:
        prove_bounds(request)
        if request.mode not in (None, Mode.KEYWORD):
            raise RequestInvalid("mode", f"{request.mode} needs an embedding", hint="search with mode keyword")
        self._check_conditions(request.conditions)
        for part, paths in {
            "words.fields.{}": request.words.fields,
            "sort.{}.field": [by.field for by in request.sort],
            "highlight.{}": request.highlight,
            "fields.{}": request.fields or (),
        }.items():
            for number, path in enumerate(paths):
                if path != SCORE:
                    self._declared(part.format(number), path)
        for name, facet in request.facets.items():
            self._declared(f"facets.{name}.field", facet.field)

    def _check_conditions(self, conditions: Sequence[Condition]) -> None:
        prove_conditions(conditions)
        for number, condition in enumerate(conditions):
            for path in condition_fields(condition):
                self._declared(f"conditions.{number}.field", path)

    def _declared(self, part: str, path: str | None) -> None:
        if path is not None and path not in self._fields:
            raise RequestInvalid(part, f"there is no field {path!r}", hint=suggestion(path, self._fields))


def meets(document: Document, condition: Condition) -> bool:
    """Tell whether a document meets a condition."""
    match condition:
        case Not(inner):
            return not meets(document, inner)
        case OneOf(conditions):
            return any(meets(document, each) for each in conditions)
    values = values_at(condition.field, document)
    match condition:
        case Term(_, wanted):
            return any(_as_text(value) in map(_as_text, wanted) for value in values)
        case Exists():
            return bool(values)
        case Prefix(_, text):
            return any(str(value).startswith(text) for value in values)
        case Range():
            bounds = {"gt": condition.gt, "gte": condition.gte, "lt": condition.lt, "lte": condition.lte}
            return any(_between(value, **bounds) for value in values)
        case Near():
            return any(_near(value, condition) for value in values)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _words_of(document: Document, path: str) -> Iterator[str]:
    for value in values_at(path, document):
        if isinstance(value, str):
            yield from _words(value)


def _marked(document: Document, path: str, wanted: set[str]) -> list[str]:
    pieces = []
    for value in values_at(path, document):
        parts = re.split(r"(\w+)", str(value))
        if any(part.lower() in wanted for part in parts):
            pieces.append("".join(_mark(part, wanted) for part in parts))
    return pieces


def _mark(part: str, wanted: set[str]) -> str:
    return f"<mark>{html.escape(part)}</mark>" if part.lower() in wanted else html.escape(part)


def _sorted(hits: Sequence[Hit], by: Sort) -> list[Hit]:
    if by.field == SCORE:
        return list(hits) if by.descending else list(reversed(hits))
    found = sorted(hits, key=lambda hit: _sort_key(hit.source, by.field), reverse=by.descending)
    # Last in both directions.
    return sorted(found, key=lambda hit: not values_at(by.field, hit.source))


def _sort_key(document: Document, path: str) -> tuple[float, str]:
    value = next(iter(values_at(path, document)), "")
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value))


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _between(value: Any, **bounds: Any) -> bool:
    meets_: Mapping[str, Callable[[Any, Any], bool]] = {
        "gt": lambda a, b: a > b,
        "gte": lambda a, b: a >= b,
        "lt": lambda a, b: a < b,
        "lte": lambda a, b: a <= b,
    }
    return all(meets_[name](*_alike(value, bound)) for name, bound in bounds.items() if bound is not None)


def _alike(value: Any, bound: Any) -> tuple[Any, Any]:
    try:
        return float(value), float(bound)
    except ValueError:
        return str(value), str(bound)


def _near(point: Any, wanted: Near) -> bool:
    found = re.fullmatch(r"([\d.]+)(k?m)", wanted.distance)
    if found is None:
        raise RequestInvalid("conditions", f"{wanted.distance!r} is no distance", hint="write for example 10km")
    metres = float(found[1]) * (1000 if found[2] == "km" else 1)
    # A degree is 111 km.
    return math.dist((point["lat"], point["lon"]), (wanted.latitude, wanted.longitude)) * 111_000 <= metres
