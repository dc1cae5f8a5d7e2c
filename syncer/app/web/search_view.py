"""What the search page shows, worked out before a template has it: templates only lay out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from syncer.app.web.marked import Piece, pieces, plain, shortened, whole
from syncer.app.web.outline import Kind, Outline
from syncer.app.web.place import Place
from syncer.core.search.fusion import Fusion
from syncer.core.search.path import values_at
from syncer.core.search.request import Mode
from syncer.core.search.result import Hit, Result

HITS = 10
#: Pieces of texts under a heading.
_PASSAGES = 3
_PASSAGE_CHARACTERS = 260
#: Of two pieces that share so many characters one is shown.
_ALIKE = 50
_HEADING_CHARACTERS = 160
#: Of a document's values beside its heading.
_FACTS, _FACT_CHARACTERS = 8, 40
_FIELDS, _FIELD_CHARACTERS = 60, 600


@dataclass(frozen=True, slots=True)
class Fact:
    """A value of a document by which others can be found."""

    path: str
    text: str
    #: None: nothing is found by it.
    url: str | None


@dataclass(frozen=True, slots=True)
class Reason:
    """What one ranking says of a document."""

    ranking: str
    #: None: it is not among its best.
    rank: int | None
    #: Of the fused score; None: nothing was fused.
    share: float | None


@dataclass(frozen=True, slots=True)
class HitView:
    """One document."""

    id: str
    heading: Sequence[Piece]
    passages: Sequence[Sequence[Piece]]
    facts: Sequence[Fact]
    #: All that it has, as text.
    fields: Sequence[tuple[str, str]]
    reasons: Sequence[Reason]
    score: float | None
    similar: str
    json: str

    @property
    def ranked(self) -> str:
        """The ranks on one line."""
        return " · ".join(
            f"{reason.ranking} {'–' if reason.rank is None else f'#{reason.rank}'}" for reason in self.reasons
        )


@dataclass(frozen=True, slots=True)
class Link:
    """One of several ways to go."""

    label: str
    #: None: it leads nowhere.
    url: str | None
    chosen: bool = False


def hit_view(hit: Hit, place: Place, outline: Outline, mode: Mode) -> HitView:
    """Return what is shown of a document."""
    name = text_of(next(iter(values_at(outline.heading, hit.source)), "")) if outline.heading else ""
    marked = whole(name, hit.highlights.get(outline.heading or "", ()))
    return HitView(
        id=hit.id,
        heading=marked
        if 0 < len(name) <= _HEADING_CHARACTERS
        else [Piece(shortened(name, _HEADING_CHARACTERS) or hit.id)],
        passages=_passages(hit, outline),
        facts=list(_facts(hit.source, place, outline)),
        fields=[(path, _shown(value)) for path, value in list(hit.source.items())[:_FIELDS] if value not in (None, [])],
        reasons=_reasons(hit, mode, outline.vectors),
        score=hit.score,
        similar=place.like(hit.id).url,
        json=f"/documents/{quote(hit.id, safe='')}" + (f"?pipeline={quote(place.pipeline)}" if place.pipeline else ""),
    )


def _passages(hit: Hit, outline: Outline) -> Sequence[Sequence[Piece]]:
    texts = [path for path in outline.texts if path != outline.heading]
    found: list[Sequence[Piece]] = []
    for piece in (pieces(piece) for path in texts for piece in hit.highlights.get(path, ())):
        # A summary often is the beginning of what it sums up.
        if not any(plain(piece)[:_ALIKE] in plain(shown) for shown in found):
            found.append(piece)
    if found:
        return found[:_PASSAGES]
    for path in texts:
        if begin := shortened(" ".join(text_of(value) for value in values_at(path, hit.source)), _PASSAGE_CHARACTERS):
            return [[Piece(begin)]]
    return []


def _facts(source: Mapping[str, Any], place: Place, outline: Outline) -> Iterator[Fact]:
    left = _FACTS
    for counted in outline.counted:
        for value in values_at(counted.path, source)[:left]:
            left -= 1
            text = text_of(value)
            if counted.kind is Kind.DATES:
                yield Fact(counted.path, text[:10], None)
            elif counted.kind is Kind.TERMS and len(text) <= _FACT_CHARACTERS and text:
                chosen = f"{counted.path}:{text}" in place.filters
                yield Fact(counted.path, text, None if chosen else place.toggled(counted.path, text).url)
            elif counted.kind is Kind.NUMBERS:
                # Alone it says nothing.
                yield Fact(counted.path, f"{counted.path.rpartition('.')[2]} {text}", None)
            else:
                yield Fact(counted.path, shortened(text, _FACT_CHARACTERS), None)


def _reasons(hit: Hit, mode: Mode, vectors: int) -> Sequence[Reason]:
    """Return why a document is where it is; of a hybrid search what each ranking gave to the score."""
    if mode is not Mode.HYBRID:
        return [Reason(name, rank, None) for name, rank in hit.ranks.items()]
    if not hit.ranks:
        return []
    fusion, found = Fusion(), []
    for name, rank in hit.ranks.items():
        weight = fusion.keyword if name == Mode.KEYWORD else fusion.share(vectors)
        found.append(Reason(name, rank, weight / (fusion.k + rank)))
    missing = (each for each in (Mode.KEYWORD, Mode.VECTOR) if not any(name.startswith(each) for name in hit.ranks))
    found += [Reason(each.value, None, 0.0) for each in missing]
    return sorted(found, key=lambda reason: reason.ranking != Mode.KEYWORD)


def page_links(place: Place, result: Result, window: int) -> Sequence[Link]:
    """Return the pages around this one; window: how deep they reach."""
    last = min(-(-result.total // HITS), window // HITS)
    if last <= 1 and place.page == 1:
        return []
    near = {1, last, *range(place.page - 2, place.page + 3)}
    shown = [number for number in sorted(near) if 1 <= number <= last]
    links = [Link("Previous", place.at(place.page - 1).url if place.page > 1 else None)]
    for before, number in zip([0, *shown], shown, strict=False):
        if number > before + 1:
            links.append(Link("…", None))
        links.append(Link(str(number), place.at(number).url, number == place.page))
    return [*links, Link("Next", place.at(place.page + 1).url if place.page < last else None)]


def text_of(value: Any) -> str:
    """Return a value as a filter has it, and as it is shown."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else text_of(value)
    return text if len(text) <= _FIELD_CHARACTERS else text[:_FIELD_CHARACTERS] + " …"
