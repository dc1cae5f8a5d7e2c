"""Conditions that documents must meet: they decide on what is found, not on its rank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

#: A date is its ISO text.
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Term:
    """The field has one of some exact values."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The field has a value between bounds; one that is None is open."""

    field: str
    gt: Value | None = None
    gte: Value | None = None
    lt: Value | None = None
    lte: Value | None = None


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value."""

    field: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """The field has an exact value that begins with a text."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Near:
    """The field has a point around another one."""

    field: str
    latitude: float
    longitude: float
    #: With its unit: `10km`.
    distance: str


@dataclass(frozen=True, slots=True)
class Not:
    """The condition is not met."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class OneOf:
    """At least one of the conditions is met."""

    conditions: tuple[Condition, ...]


Condition = Term | Range | Exists | Prefix | Near | Not | OneOf


def condition_fields(condition: Condition) -> Iterator[str]:
    """Yield the fields that a condition asks, some of them more than once."""
    match condition:
        case Not(inner):
            yield from condition_fields(inner)
        case OneOf(conditions):
            for each in conditions:
                yield from condition_fields(each)
        case _:
            yield condition.field
