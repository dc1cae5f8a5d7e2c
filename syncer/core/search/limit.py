"""How much a search may ask for: what costs the server more than a search should is refused before it is sent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from syncer.core.error import RequestInvalid
from syncer.core.search.condition import Condition, Not, OneOf, Term
from syncer.core.search.facet import DateFacet, Facet, RangeFacet, TermsFacet
from syncer.core.search.fusion import Fusion
from syncer.core.search.request import WINDOW_MAX, Request

#: Characters of a query; each of its words is looked for in each field.
TEXT_MAX = 2_000
#: Characters of a query whose words are looked for in other spellings too: each is compared with all words of the
#: index, which takes the server seconds of hundreds of words, or of one of thousands of characters.
INEXACT_MAX = 256
#: Characters of a value in a condition. Longer ones are not indexed.
VALUE_MAX = 8_191
#: Documents on a page.
SIZE_MAX = 1_000
#: Completions.
COMPLETIONS_MAX = 50
#: Conditions, those within others counted.
CONDITIONS_MAX = 100
#: Conditions within a condition within a condition.
DEPTH_MAX = 5
#: Values that one condition offers.
VALUES_MAX = 1_000
FACETS_MAX = 20
#: Lines of a facet.
BUCKETS_MAX = 1_000
SORTS_MAX = 8
#: Fields that are named at once.
FIELDS_MAX = 100
#: Of each ranking that is fused.
FUSED_MAX = 1_000
#: Ranks further down differ by nothing.
K_MAX = 10_000
#: Characters of a routing value and of an id.
ID_MAX = 512
#: A distance as Elasticsearch writes it, with as many digits as anybody needs.
DISTANCE = r"\d{1,9}(\.\d{1,9})?(mm|cm|m|km|in|ft|yd|mi|nmi)"


def prove_bounds(request: Request) -> None:
    """Raise RequestInvalid where a request asks for too much, or for less than nothing."""
    _at_most("text", len(request.text), TEXT_MAX, "characters")
    if request.words.fuzziness is not None and len(request.text) > INEXACT_MAX:
        raise RequestInvalid(
            "words.fuzziness",
            f"words are matched inexactly in at most {INEXACT_MAX} characters, and the text has {len(request.text):,}",
        )
    _at_most("words.fields", len(request.words.fields), FIELDS_MAX, "fields")
    _at_most("sort", len(request.sort), SORTS_MAX, "fields")
    _at_most("highlight", len(request.highlight), FIELDS_MAX, "fields")
    _at_most("fields", len(request.fields or ()), FIELDS_MAX, "fields")
    _at_most("facets", len(request.facets), FACETS_MAX, "facets")
    _at_most("routing", len(request.routing or ""), ID_MAX, "characters")
    _between("size", request.size, 0, SIZE_MAX)
    if request.offset < 0:
        raise RequestInvalid("offset", f"is {request.offset}, and pages begin at 0")
    if request.offset + request.size > WINDOW_MAX:
        raise RequestInvalid(
            "offset",
            f"offset and size come to {request.offset + request.size:,}, and Elasticsearch reaches {WINDOW_MAX:,} "
            "documents deep, for each shard has to sort all above a page",
            hint="ask for `paged` and follow the cursors, which reach every document; or narrow the search",
        )
    prove_fusion(request.fusion)
    prove_conditions(request.conditions)
    for name, facet in request.facets.items():
        _prove_facet(f"facets.{name}", facet)


def prove_fusion(fusion: Fusion) -> None:
    """Raise RequestInvalid where rankings cannot be fused so."""
    _between("fusion.k", fusion.k, 1, K_MAX)
    _between("fusion.window", fusion.window, 1, FUSED_MAX)
    for part, weight in (("fusion.keyword", fusion.keyword), ("fusion.vector", fusion.vector)):
        if not (math.isfinite(weight) and weight >= 0):
            raise RequestInvalid(part, f"is {weight}, which is no weight", hint="give 0 or more")
    if fusion.keyword == fusion.vector == 0:
        raise RequestInvalid("fusion.vector", "both weights are 0, so that nothing ranks", hint="give one of them more")


def prove_conditions(conditions: Sequence[Condition]) -> None:
    """Raise RequestInvalid where there are too many conditions, too deep in each other, or empty ones."""
    for number, (part, condition, depth) in enumerate(_all(conditions, "conditions", 1), start=1):
        if number > CONDITIONS_MAX:
            raise RequestInvalid("conditions", f"there are more than {CONDITIONS_MAX}")
        if depth > DEPTH_MAX:
            raise RequestInvalid(part, f"lies deeper than {DEPTH_MAX} conditions")
        if isinstance(condition, Term):
            if not condition.values:
                raise RequestInvalid(f"{part}.values", "there is none")
            _at_most(f"{part}.values", len(condition.values), VALUES_MAX, "values")
        elif isinstance(condition, OneOf) and not condition.conditions:
            raise RequestInvalid(f"{part}.conditions", "there is none, so that nothing could meet one")


def _all(conditions: Sequence[Condition], part: str, depth: int) -> Iterator[tuple[str, Condition, int]]:
    for number, condition in enumerate(conditions):
        yield from _within(condition, f"{part}.{number}", depth)


def _within(condition: Condition, part: str, depth: int) -> Iterator[tuple[str, Condition, int]]:
    yield part, condition, depth
    # Whoever reads this stops at the first that is too deep.
    match condition:
        case Not(inner):
            yield from _within(inner, f"{part}.condition", depth + 1)
        case OneOf(inner_conditions):
            yield from _all(inner_conditions, f"{part}.conditions", depth + 1)


def _prove_facet(part: str, facet: Facet) -> None:
    match facet:
        case TermsFacet(size=size):
            _between(f"{part}.size", size, 1, BUCKETS_MAX)
        case RangeFacet(ranges=ranges):
            _between(f"{part}.ranges", len(ranges), 1, FIELDS_MAX)
        case DateFacet():
            pass


def _at_most(part: str, number: int, most: int, what: str) -> None:
    if number > most:
        raise RequestInvalid(part, f"has {number:,} {what}, and at most {most:,} are taken")


def _between(part: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise RequestInvalid(part, f"is {number:,}, and must be from {least} to {most:,}")
