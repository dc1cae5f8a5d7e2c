"""The fields of a document: as settings declare them, and as they come out of the table's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncer.core.column_type import FIELD_TYPES, FieldType, infer
from syncer.core.error import ConfigurationError
from syncer.core.relation import Aggregate, Relation
from syncer.core.suggestion import suggestion
from syncer.core.table import Table

#: What syncer keeps in each document: its key and its hash, so that an index can be compared without moving documents.
OWN_FIELD = "_syncer"

#: Postgres cuts longer names off, and field names are column names of the hydration statement.
NAME_BYTES_MAX = 63

_METADATA = (
    "_data_stream_timestamp _doc_count _feature _field_names _id _ignored _ignored_source _index _index_mode "
    "_inference_fields _nested_path _recovery_source _routing _seq_no _size _source _syncer _tier _tsid _type "
    "_version"
)
#: Names that Elasticsearch keeps for itself, and ours.
_OWN_NAMES = frozenset(_METADATA.split())


@dataclass(frozen=True, slots=True)
class Related:
    """What a field takes from related rows, in place of a column of its own."""

    relation: Relation
    #: Each row is an object of these; none: it is the value of the field's column.
    fields: tuple[Field, ...] = ()
    #: One value of all rows, each row having that of the field's column.
    aggregate: Aggregate | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the document, filled from one column, or from related rows."""

    name: str
    #: Of the table, or of the related one; empty where whole rows are taken, or counted.
    column: str
    #: Elasticsearch's name of the type.
    type: str
    analyzer: str | None = None
    #: With a `keyword` sub-field, for exact matches, sorting and facets.
    keyword: bool = False
    #: With an `autocomplete` sub-field of edge n-grams.
    autocomplete: bool = False
    #: Weight in keyword search.
    boost: float = 1.0
    #: Further mapping parameters, as Elasticsearch names them.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: None: the column is the table's own.
    related: Related | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """One field as the settings declare it; the attributes are those of `Field`."""

    #: None: the column of the field's name.
    column: str | None = None
    #: None: inferred from the column's type.
    type: str | None = None
    analyzer: str | None = None
    keyword: bool = False
    autocomplete: bool = False
    boost: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VectorField:
    """A field that holds the embedding of a text made of other fields."""

    name: str
    #: Field names in braces; doubled braces stand for themselves: `{title}\n\n{body}`.
    template: str
    dims: int
    similarity: str = "cosine"


def resolve_fields(table: Table, declared: Mapping[str, Declared] | None, *, setting: str) -> tuple[Field, ...]:
    """Return the document's fields; nothing declared: every column, types inferred.

    setting: what the configuration calls the fields, like `pipelines.articles.fields`. Raises ConfigurationError where
    a column is not there, a type is unknown or cannot be inferred, or Elasticsearch could not hold a name.
    """
    if declared is None:
        declared = {name: Declared() for name in table.columns}
    return tuple(_resolved(table, name, wish, f"{setting}.{name}") for name, wish in declared.items())


def _resolved(table: Table, name: str, wish: Declared, setting: str) -> Field:
    _check_name(name, setting)
    column = wish.column or name
    if column not in table.columns:
        raise ConfigurationError(
            f"{setting}: {table} has no column {column}",
            hint=f"{suggestion(column, table.columns)}; the setting {setting}.column names another one",
        )
    type_ = FieldType(wish.type) if wish.type else _inferred(table, column, setting)
    if type_.name not in FIELD_TYPES:
        raise ConfigurationError(
            f"{setting}: there is no field type {type_.name}", hint=suggestion(type_.name, FIELD_TYPES)
        )
    resolved = Field(
        name=name,
        column=column,
        type=type_.name,
        analyzer=wish.analyzer,
        keyword=wish.keyword or type_.keyword,
        autocomplete=wish.autocomplete,
        boost=wish.boost,
        options=wish.options,
    )
    _check_options(resolved, setting)
    return resolved


def _inferred(table: Table, column: str, setting: str) -> FieldType:
    inferred = infer(table.columns[column])
    if inferred is None:
        raise ConfigurationError(
            f"{setting}: column {column} of {table} is of type {table.columns[column].sql_type}, "
            "for which there is no field type",
            hint=f"list the fields that you want, without it; or declare how to index it: {setting}: keyword",
        )
    return inferred


def _check_name(name: str, setting: str) -> None:
    reason = None
    if any(not part.strip() for part in name.split(".")):
        reason = "is empty, or has an empty part before or after a dot"
    elif name in _OWN_NAMES:
        reason = "is a name that Elasticsearch or syncer keeps for itself"
    elif len(name.encode()) > NAME_BYTES_MAX:
        reason = f"is longer than {NAME_BYTES_MAX} bytes"
    if reason:
        raise ConfigurationError(
            f"{setting}: the field name {name!r} {reason}",
            hint=f"list the fields, and give this one another name with `column: {name}`",
        )


def _check_options(resolved: Field, setting: str) -> None:
    for option in ("analyzer", "keyword", "autocomplete"):
        if getattr(resolved, option) and resolved.type != "text":
            raise ConfigurationError(
                f"{setting}: {option} is for fields of type text, and this one is {resolved.type}",
                hint="declare `type: text`, or leave it out",
            )
