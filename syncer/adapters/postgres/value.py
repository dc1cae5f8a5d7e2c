"""How a column's value is written in the document, where Postgres's own JSON of it is not what the field takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Float,
    Numeric,
    Text,
    case,
    cast,
    func,
    literal_column,
    not_,
    select,
    type_coerce,
)
from sqlalchemy.sql.elements import Grouping

from syncer.adapters.postgres.sql import SqlType, constant, number, text_of
from syncer.core.column_type import infer
from syncer.core.field import Field
from syncer.core.table import Column

Expression = ColumnElement[Any]

_DATES = frozenset({"date", "date_nanos"})
_NUMBERS = frozenset(
    {"byte", "short", "integer", "long", "unsigned_long", "half_float", "float", "double", "scaled_float"}
)
_STRINGS = frozenset({"text", "match_only_text", "search_as_you_type", "keyword", "wildcard"})
#: Types whose JSON is no string, though they are no numbers.
_OBJECTS = frozenset({"json", "jsonb", "hstore", "geometry", "geography"})
_TIMES = frozenset({"timestamptz", "timestamp", "date"})
_TIME_RANGES = frozenset({"tstzrange", "tsrange", "daterange"})


def document_value(field: Field, source: Column, value: Expression) -> Expression:
    """Return the expression for a field's value: of a type that `row_to_json` writes as the field takes it."""
    convert = _conversion(field.type, source)
    if convert is None:
        return value
    if source.kind == "m":
        return _each(_ranges(value) if source.array else value, convert)
    return _each(value, convert) if source.array else convert(value)


def holds_foreign_json(source: Column) -> bool:
    """Tell whether its JSON is copied as somebody wrote it, perhaps with line breaks."""
    return source.type == "json" or source.kind == "c"


def _conversion(field_type: str, source: Column) -> Callable[[Expression], Expression] | None:
    match source.type, field_type:
        case ("bpchar", _):
            return text_of  # without the blanks that fill it up
        case (name, string) if string in _STRINGS and (name in _OBJECTS or infer(source) is None):
            return text_of  # for Postgres's JSON of it may be an object
        case (name, date) if name in _TIMES and date in _DATES:
            return _finite
        case ("oid", number) | ("money", number) if number in _NUMBERS:
            return lambda value: cast(value, SqlType("bigint") if source.type == "oid" else Numeric)
        case ("inet" | "cidr", "ip"):
            return func.host
        case ("inet", "ip_range"):
            return func.network
        case ("bytea", "binary"):
            return _base64
        case ("point", "geo_point"):
            return _lon_lat
        case ("geometry" | "geography", "geo_point") if source.kind == "b":
            return lambda value: _lon_lat(_point(value, source))
        case ("vector" | "halfvec", "dense_vector"):
            return lambda value: cast(value, SqlType("real[]"))
        case (name, kind) if source.kind in "rm" and kind.endswith("_range"):
            return _time_range if name.replace("multirange", "range") in _TIME_RANGES else _range
    return None


def _each(value: Expression, convert: Callable[[Expression], Expression]) -> Expression:
    elements = func.unnest(value).table_valued("element", with_ordinality="place").render_derived(name="each")
    converted = select(convert(elements.c.element)).order_by(elements.c.place).scalar_subquery()
    # ARRAY(…) of nothing is an empty array, of NULL too.
    return case((value.is_not(None), func.array(converted)))


def _ranges(value: Expression) -> Expression:
    """The ranges of all multiranges in an array."""
    ranges = select(func.unnest(func.unnest(value))).scalar_subquery()
    return case((value.is_not(None), func.array(ranges)))


def _finite(value: Expression) -> Expression:
    """Elasticsearch has no infinite dates."""
    return case((func.isfinite(value), value))


def _base64(value: Expression) -> Expression:
    # Postgres breaks the line after 76 characters.
    return func.translate(func.encode(value, constant("base64")), literal_column(r"E'\n'", Text), constant(""))


def _lon_lat(value: Expression) -> Expression:
    # Postgres subscripts a point like an array; for SQLAlchemy it has to be one.
    place = type_coerce(value, ARRAY(Float))
    lon, lat = place[number(0)], place[number(1)]
    return case((value.is_not(None), func.json_build_object(constant("lon"), lon, constant("lat"), lat)))


def _point(value: Expression, source: Column) -> Expression:
    """PostGIS's point as Postgres's; an empty one is NULL, and another geometry an error of its row."""
    # By casts, not by ST_X(): the schema of PostGIS need not be in the search_path, and casts are found without it.
    schema = source.sql_type.rpartition(".")[0]
    # In parentheses, for it is subscripted.
    return Grouping(cast(cast(value, SqlType(f"{schema}.geometry")), SqlType("point")))


def _range(value: Expression, bound: Callable[[Expression], Expression] = lambda bound: bound) -> Expression:
    """A bound that is not there is left out; an empty range is no value."""
    lower = case((func.lower_inc(value), constant("gte")), else_=constant("gt"))
    upper = case((func.upper_inc(value), constant("lte")), else_=constant("lt"))
    bounds = func.json_build_object(lower, bound(func.lower(value)), upper, bound(func.upper(value)))
    return case((not_(func.isempty(value)), func.json_strip_nulls(bounds)))


def _time_range(value: Expression) -> Expression:
    return _range(value, _finite)
