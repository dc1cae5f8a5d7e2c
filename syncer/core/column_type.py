"""Which Elasticsearch type each Postgres type becomes; `docs/types.md` shows the values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncer.core.relation import Aggregate
from syncer.core.table import Column


@dataclass(frozen=True, slots=True)
class FieldType:
    """A field's type in Elasticsearch, as far as a column's type decides it."""

    name: str
    #: With a sub-field for exact matches.
    keyword: bool = False


_TEXT = FieldType("text", keyword=True)
_KEYWORD = FieldType("keyword")
# An object without properties: any JSON is accepted and given back, none of it is indexed. Whether a value is a number,
# a date or an object may differ from row to row, and the first row would decide for all of them.
_JSON = FieldType("object")
_GEO_POINT = FieldType("geo_point")
#: PostGIS's types, whose columns may hold any geometry, or by their declaration points alone.
_GEOMETRIES = frozenset({"geometry", "geography"})

#: By `pg_type.typname` of the base type.
_BY_TYPE: Mapping[str, FieldType] = {
    "int2": FieldType("short"),
    "int4": FieldType("integer"),
    "int8": FieldType("long"),
    "oid": FieldType("long"),
    "float4": FieldType("float"),
    "float8": FieldType("double"),
    "numeric": FieldType("double"),
    "bool": FieldType("boolean"),
    "timestamptz": FieldType("date"),
    "timestamp": FieldType("date"),
    "date": FieldType("date"),
    "inet": FieldType("ip"),
    "cidr": FieldType("ip_range"),
    "bytea": FieldType("binary"),
    "json": _JSON,
    "jsonb": _JSON,
    "hstore": FieldType("flattened"),
    "int4range": FieldType("integer_range"),
    "int8range": FieldType("long_range"),
    "numrange": FieldType("double_range"),
    "tsrange": FieldType("date_range"),
    "tstzrange": FieldType("date_range"),
    "daterange": FieldType("date_range"),
    "int4multirange": FieldType("integer_range"),
    "int8multirange": FieldType("long_range"),
    "nummultirange": FieldType("double_range"),
    "tsmultirange": FieldType("date_range"),
    "tstzmultirange": FieldType("date_range"),
    "datemultirange": FieldType("date_range"),
    **dict.fromkeys(("text", "varchar", "bpchar", "xml", "citext"), _TEXT),
    **dict.fromkeys(("name", "char", "uuid", "bit", "varbit", "macaddr", "macaddr8", "money"), _KEYWORD),
    **dict.fromkeys(("interval", "time", "timetz"), _KEYWORD),
    **dict.fromkeys(("point", "line", "lseg", "box", "path", "polygon", "circle"), _KEYWORD),
    **dict.fromkeys(("xid", "xid8", "cid", "tid", "pg_lsn", "pg_snapshot", "txid_snapshot"), _KEYWORD),
    **dict.fromkeys(("jsonpath", "refcursor"), _KEYWORD),
}

#: What Postgres's sum() of each is.
_SUMS: Mapping[str, FieldType] = {
    **dict.fromkeys(("int2", "int4"), FieldType("long")),
    "float4": FieldType("float"),
    **dict.fromkeys(("int8", "float8", "numeric"), FieldType("double")),
}
#: Those beside them whose values Postgres has a min() and a max() of, in every version.
_ORDERED = frozenset(
    {"oid", "money", "text", "varchar", "bpchar", "citext", "inet"}
    | {"timestamptz", "timestamp", "date", "time", "timetz", "interval"}
)

_FIELD_TYPES = (
    "text match_only_text search_as_you_type keyword wildcard version completion byte short integer long "
    "unsigned_long half_float float double scaled_float boolean binary date date_nanos ip geo_point geo_shape "
    "integer_range long_range float_range double_range date_range ip_range object nested flattened dense_vector "
    "sparse_vector rank_feature rank_features"
)
#: The types that a field may be declared with.
FIELD_TYPES = frozenset(_FIELD_TYPES.split())


def infer(column: Column) -> FieldType | None:
    """Return the type of a field filled from a column, for an array from its elements; None: there is no good one.

    There is none for composite types, search vectors and queries, types whose text depends on the catalogue
    (`regclass` and its kin, `aclitem`), types that Postgres uses internally, and those of most extensions: of PostGIS's
    there is one for columns of points.
    """
    if column.kind == "e":
        return _KEYWORD
    if column.type in _GEOMETRIES and column.kind == "b":
        # Of any dimension: `(Point,4326)`, `(PointZ)`.
        return _GEO_POINT if "(Point" in column.sql_type else None
    return _BY_TYPE.get(column.type) if column.kind in "brm" else None


def aggregated(aggregate: Aggregate, column: Column | None) -> FieldType | None:
    """Return the type of a field filled from an aggregate of a column, or of rows; None: there is no such aggregate."""
    if aggregate is Aggregate.COUNT:
        return FieldType("long")
    if column is None or column.array:
        return None
    match aggregate:
        case Aggregate.AVG:
            return FieldType("double") if column.type in _SUMS and column.kind == "b" else None
        case Aggregate.SUM:
            return _SUMS.get(column.type) if column.kind == "b" else None
        case Aggregate.MIN | Aggregate.MAX:
            ordered = column.kind == "e" or (column.kind == "b" and column.type in {*_ORDERED, *_SUMS})
            return infer(column) if ordered else None
