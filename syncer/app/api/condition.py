"""Conditions, as a request writes them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from syncer.app.api.body import Body, Path, Text, Value
from syncer.core.search import condition as core
from syncer.core.search.limit import CONDITIONS_MAX, DISTANCE, VALUES_MAX


class TermBody(Body):
    """The field has one of some exact values."""

    type: Literal["term"]
    field: Path
    values: Annotated[tuple[Value, ...], Field(min_length=1, max_length=VALUES_MAX)]

    def condition(self) -> core.Condition:
        return core.Term(self.field, self.values)


class RangeBody(Body):
    """The field has a value between bounds, one of which at least is given."""

    type: Literal["range"]
    field: Path
    gt: Value | None = None
    gte: Value | None = None
    lt: Value | None = None
    lte: Value | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not self.model_fields_set & {"gt", "gte", "lt", "lte"}:
            raise ValueError("give gt, gte, lt or lte")
        return self

    def condition(self) -> core.Condition:
        return core.Range(self.field, self.gt, self.gte, self.lt, self.lte)


class ExistsBody(Body):
    """The field has a value."""

    type: Literal["exists"]
    field: Path

    def condition(self) -> core.Condition:
        return core.Exists(self.field)


class PrefixBody(Body):
    """The field has an exact value that begins with a text."""

    type: Literal["prefix"]
    field: Path
    text: Annotated[Text, StringConstraints(min_length=1)]

    def condition(self) -> core.Condition:
        return core.Prefix(self.field, self.text)


class NearBody(Body):
    """The field has a point around another one."""

    type: Literal["near"]
    field: Path
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    distance: Annotated[str, StringConstraints(pattern=f"^{DISTANCE}$")]
    """With its unit: `10km`."""

    def condition(self) -> core.Condition:
        return core.Near(self.field, self.latitude, self.longitude, self.distance)


class NotBody(Body):
    """The condition is not met."""

    type: Literal["not"]
    condition_: Annotated[ConditionBody, Field(alias="condition")]

    def condition(self) -> core.Condition:
        return core.Not(self.condition_.condition())


class OneOfBody(Body):
    """At least one of the conditions is met."""

    type: Literal["one_of"]
    conditions: Annotated[tuple[ConditionBody, ...], Field(min_length=1, max_length=CONDITIONS_MAX)]

    def condition(self) -> core.Condition:
        return core.OneOf(tuple(each.condition() for each in self.conditions))


ConditionBody = Annotated[
    TermBody | RangeBody | ExistsBody | PrefixBody | NearBody | NotBody | OneOfBody, Field(discriminator="type")
]
NotBody.model_rebuild()
OneOfBody.model_rebuild()
