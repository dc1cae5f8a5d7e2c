"""Conditions as queries in filter context: they are cached, and no score depends on them."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from syncer.adapters.elastic.search.declared import NUMBER_RANGES, NUMBERS, POINT, TEXTS, Declared, Leaf
from syncer.core.error import RequestInvalid
from syncer.core.search.condition import Condition, Exists, Near, Not, OneOf, Prefix, Range, Term, Value
from syncer.core.search.facet import Facet, RangeFacet
from syncer.core.search.limit import DISTANCE, VALUE_MAX, prove_conditions

#: Of whole numbers Elasticsearch writes out what an exponent stands for: `1e-9999999` keeps a thread of its busy for
#: longer than a request may take.
_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)
#: Characters of a prefix; Elasticsearch takes no longer one.
_PREFIX_MAX = 1_000
#: Of a value in a message.
_SHOWN_CHARACTERS = 100


def filters(conditions: Sequence[Condition], declared: Declared) -> list[dict[str, Any]]:
    """Return the queries that all must match. Raises RequestInvalid."""
    prove_conditions(conditions)
    return [_query(condition, declared, f"conditions.{number}") for number, condition in enumerate(conditions)]


def checked(part: str, leaf: Leaf, value: Value) -> Value:
    """Return a value that a field of this type may have. Raises RequestInvalid.

    Dates are left to Elasticsearch, which knows their formats and counts with them.
    """
    if not isinstance(value, str | int | float):
        raise RequestInvalid(part, f"{value!r:.100} is no value", hint="give a text, a number, true or false")
    if isinstance(value, float) and not math.isfinite(value):
        raise RequestInvalid(part, f"{value} is no value")
    if isinstance(value, str) and len(value) > VALUE_MAX:
        raise RequestInvalid(part, f"has {len(value):,} characters, and at most {VALUE_MAX:,} are indexed")
    if leaf.kind in NUMBERS | NUMBER_RANGES:
        _prove(part, leaf, value, "a number", _is_number)
    elif leaf.kind == "boolean":
        _prove(part, leaf, value, "true or false", lambda text: text in {"true", "false", "True", "False"})
        return str(value).lower() == "true"
    elif leaf.kind in {"ip", "ip_range"}:
        _prove(part, leaf, value, "an IP address or network", _is_address)
    return value


def _query(condition: Condition, declared: Declared, part: str) -> dict[str, Any]:
    match condition:
        case Not(inner):
            return {"bool": {"must_not": [_query(inner, declared, f"{part}.condition")]}}
        case OneOf(conditions):
            should = [_query(each, declared, f"{part}.conditions.{n}") for n, each in enumerate(conditions)]
            return {"bool": {"should": should, "minimum_should_match": 1}}
        case Near():
            return _near(condition, declared, part)
        case Exists(field):
            return _exists(declared.leaf(f"{part}.field", field), f"{part}.field")
        case Term(field, values):
            leaf = declared.exact(f"{part}.field", field)
            wanted = [checked(f"{part}.values.{n}", leaf, value) for n, value in enumerate(values)]
            return _within(leaf, {"terms": {leaf.exact: wanted}})
        case Prefix(field, text):
            leaf = declared.exact(f"{part}.field", field)
            if not leaf.exact or leaf.kind not in TEXTS | {"keyword", "constant_keyword", "wildcard", "flattened"}:
                raise RequestInvalid(f"{part}.field", f"{field} holds no text, for its type is {leaf.kind}")
            if len(text.encode("utf-16-le", "surrogatepass")) // 2 > _PREFIX_MAX:
                raise RequestInvalid(f"{part}.text", f"has more than {_PREFIX_MAX:,} characters")
            return _within(leaf, {"prefix": {leaf.exact: {"value": checked(f"{part}.text", leaf, text)}}})
        case Range():
            return _range(condition, declared, part)


def _within(leaf: Leaf, query: dict[str, Any]) -> dict[str, Any]:
    """Return a query for documents, which a nested field's own documents are not."""
    return query if leaf.nested is None else {"nested": {"path": leaf.nested, "query": query}}


def _exists(leaf: Leaf, part: str) -> dict[str, Any]:
    if leaf.stored:
        raise RequestInvalid(part, f"{leaf.path} is only kept, so that nothing is known of its values")
    if leaf.nested == leaf.path:
        return _within(leaf, {"match_all": {}})
    return _within(leaf, {"exists": {"field": leaf.path}})


def _near(condition: Near, declared: Declared, part: str) -> dict[str, Any]:
    leaf = declared.leaf(f"{part}.field", condition.field)
    if leaf.kind != POINT:
        raise RequestInvalid(
            f"{part}.field", f"{leaf.path} holds no points, for its type is {leaf.kind}", hint=f"declare it {POINT}"
        )
    for name, value, most in (("latitude", condition.latitude, 90), ("longitude", condition.longitude, 180)):
        if not -most <= value <= most:
            raise RequestInvalid(f"{part}.{name}", f"is {value}, and must be from -{most} to {most}")
    if not re.fullmatch(DISTANCE, condition.distance, re.ASCII):
        raise RequestInvalid(
            f"{part}.distance", f"{condition.distance!r} is no distance", hint="give its unit: 10km, 500m, 3mi"
        )
    point = {"lat": condition.latitude, "lon": condition.longitude}
    return _within(leaf, {"geo_distance": {"distance": condition.distance, leaf.path: point}})


def _range(condition: Range, declared: Declared, part: str) -> dict[str, Any]:
    leaf = declared.leaf(f"{part}.field", condition.field)
    if leaf.kind in TEXTS or leaf.kind == "boolean":
        raise RequestInvalid(
            f"{part}.field",
            f"{leaf.path} has no order, for its type is {leaf.kind}",
            hint="numbers, dates, addresses and keywords have one",
        )
    leaf = declared.exact(f"{part}.field", condition.field)
    given = {"gt": condition.gt, "gte": condition.gte, "lt": condition.lt, "lte": condition.lte}
    bounds = {name: checked(f"{part}.{name}", leaf, bound) for name, bound in given.items() if bound is not None}
    if not bounds:
        raise RequestInvalid(part, f"the range of {leaf.path} has no bounds", hint="give gt, gte, lt or lte")
    return _within(leaf, {"range": {leaf.exact: bounds}})


def _prove(part: str, leaf: Leaf, value: Value, what: str, fits: Callable[[str], bool]) -> None:
    if (isinstance(value, bool) and leaf.kind != "boolean") or not fits(str(value)):
        raise RequestInvalid(part, f"{_shown(value)} is not {what}, as {leaf.path} has ({leaf.kind})")


def _is_number(text: str) -> bool:
    # 2.5 too where a field has whole numbers: Elasticsearch compares with it.
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def part_of(reason: str, conditions: Sequence[Condition], facets: Mapping[str, Facet]) -> str:
    """Return which condition or facet has a value that a refusal quotes; none: what may have it."""
    for number, condition in enumerate(conditions):
        if _quotes(reason, _values(condition)):
            return f"conditions.{number}"
    for name, facet in facets.items():
        if isinstance(facet, RangeFacet) and _quotes(reason, [bound for bounds in facet.ranges for bound in bounds]):
            return f"facets.{name}"
    if conditions:
        return "conditions.0" if len(conditions) == 1 else "conditions"
    return "facets" if facets else "request"


def _quotes(reason: str, values: Iterable[Value | None]) -> bool:
    return any(f"[{value}]" in reason or f'"{value}"' in reason or f"'{value}'" in reason for value in values)


def _shown(value: Value) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "…"


def _values(condition: Condition) -> list[Value]:
    match condition:
        case Term(_, values):
            return list(values)
        case Range():
            bounds = (condition.gt, condition.gte, condition.lt, condition.lte)
            return [bound for bound in bounds if bound is not None]
        case Not(inner):
            return _values(inner)
        case OneOf(conditions):
            return [value for each in conditions for value in _values(each)]
        case _:
            return []
