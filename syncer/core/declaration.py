"""Fields as settings declare them, and what they come to on the tables that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from syncer.core.column_type import FIELD_TYPES, FieldType, aggregated, infer
from syncer.core.error import ConfigurationError
from syncer.core.field import Field, Related
from syncer.core.relation import Aggregate, Relation
from syncer.core.suggestion import suggestion
from syncer.core.table import Table

#: Postgres cuts longer names off, and field names are column names of the hydration statement.
NAME_BYTES_MAX = 63

_METADATA = (
    "_data_stream_timestamp _doc_count _feature _field_names _id _ignored _ignored_source _index _index_mode "
    "_inference_fields _nested_path _recovery_source _routing _seq_no _size _source _syncer _tier _tsid _type "
    "_version"
)
#: Names that Elasticsearch keeps for itself, and ours.
_OWN_NAMES = frozenset(_METADATA.split())
_KEPT = "is a name that Elasticsearch or syncer keeps for itself"
#: Types that hold whole rows.
_OBJECTS = frozenset({"object", "nested", "flattened"})


@dataclass(frozen=True, slots=True)
class Declared:
    """One field as the settings declare it; the attributes are those of `Field`."""

    #: None: the column of the field's name. Of a related table with the names of relations before it: `author.name`.
    column: str | None = None
    #: None: inferred from the column's type.
    type: str | None = None
    analyzer: str | None = None
    keyword: bool = False
    autocomplete: bool = False
    boost: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
    #: The rows of this relation are taken, or the one `column` of them.
    relation: str | None = None
    #: One value of all rows.
    aggregate: Aggregate | None = None
    #: For a to-many relation's column: the values of all rows, which they are without it too.
    listed: bool = False


def resolve_fields(
    table: Table,
    declared: Mapping[str, Declared] | None,
    *,
    setting: str,
    relations: Mapping[str, Relation] | None = None,
) -> tuple[Field, ...]:
    """Return the document's fields; nothing declared: every column, types inferred, and every relation as objects.

    setting: what the configuration calls the fields, like `pipelines.articles.fields`. Raises ConfigurationError where
    a column or relation is not there, a type is unknown or cannot be inferred, or Elasticsearch could not hold a name.
    """
    everything = declared is None
    if declared is None:
        declared = {name: Declared() for name in (*table.columns, *(relations or {}))}
    for name in declared:
        if name in _OWN_NAMES:
            _refuse_name(name, _KEPT, f"{setting}.{name}")
    return _Level(table, relations or {}, everything).resolved(declared, setting)


@dataclass(frozen=True, slots=True)
class _Level:
    """One table whose columns and relations fields are filled from: the document itself, or objects in it."""

    table: Table
    relations: Mapping[str, Relation]
    #: No fields are declared at all.
    everything: bool

    def resolved(self, declared: Mapping[str, Declared], setting: str) -> tuple[Field, ...]:
        wishes: dict[str, Declared | None] = {}
        inner: dict[str, dict[str, Declared]] = {}
        for name, wish in declared.items():
            first, _, rest = name.partition(".")
            if rest and (first in self.relations or _takes_rows(declared.get(first))):
                wishes.setdefault(first, None)
                inner.setdefault(first, {})[rest] = wish
            else:
                wishes[name] = wish
        return tuple(
            self._field(name, wish or Declared(relation=name), inner.get(name, {}), wish is None, f"{setting}.{name}")
            for name, wish in wishes.items()
        )

    def _field(self, name: str, wish: Declared, inner: Mapping[str, Declared], implied: bool, setting: str) -> Field:
        """implied: the field is named by those inside alone, and holds no other ones."""
        _check_name(name, setting)
        relation, column = self._reached(name, wish, setting)
        if relation is not None and wish.aggregate is None and not column:
            return self._objects(name, wish, relation, inner, implied, setting)
        if inner:
            raise ConfigurationError(
                f"{setting}: it holds no rows, so that {setting}.{next(iter(inner))} cannot be inside",
                hint=f"write `relation: {name}` without column and aggregate, or rename one of them",
            )
        if relation is None:
            first, dot, _ = column.partition(".")
            if dot and self.relations and column not in self.table.columns:
                raise ConfigurationError(
                    f"{setting}: {self.table} has neither a column {column} nor a relation {first}",
                    hint=suggestion(first, self.relations),
                )
            return _checked(_field(self.table, name, column, wish, setting), setting)
        if wish.aggregate is not None:
            return _checked(_aggregated(relation, name, column, wish, wish.aggregate, setting), setting)
        resolved = _field(relation.table, name, column, wish, setting, Related(relation))
        if relation.many and relation.table.columns[column].array:
            raise ConfigurationError(
                f"{setting}: {relation.table}.{column} is an array, and the arrays of many rows are no array",
                hint=f"take the rows as objects: {setting}: {{relation: {relation.name}}}",
            )
        return _checked(resolved, setting)

    def _reached(self, name: str, wish: Declared, setting: str) -> tuple[Relation | None, str]:
        """Return the relation and the column that fill a field; no column: whole rows."""
        path, column = self._path(name, wish)
        found: Relation | None = None
        table, relations = self.table, self.relations
        for each in path:
            if each not in relations:
                raise ConfigurationError(f"{setting}: {table} has no relation {each}", hint=suggestion(each, relations))
            found = found.then(relations[each]) if found else relations[each]
            table, relations = found.table, found.relations
        if wish.aggregate is None and not wish.listed:
            return found, column
        if found is None or not found.many:
            raise ConfigurationError(
                f"{setting}: aggregate is for a relation to many rows, and {'.'.join(path) or column} is not of one",
                hint="write many: true in the relation, or leave aggregate out",
            )
        if not column and wish.aggregate is not Aggregate.COUNT:
            raise ConfigurationError(
                f"{setting}: aggregate {wish.aggregate or 'array_agg'} is of a column",
                hint=f"name it: column: {found.name}.{next(iter(table.columns))}",
            )
        return found, column

    def _path(self, name: str, wish: Declared) -> tuple[Sequence[str], str]:
        """Return the relations that a field names, and the column behind them, if there is one."""
        if wish.relation is not None:
            return wish.relation.split("."), wish.column or ""
        if wish.column is None:
            return ([name], "") if name in self.relations else ([], name)
        *path, column = wish.column.split(".")
        # Else the dots belong to the column's name.
        return (path, column) if path and path[0] in self.relations else ([], wish.column)

    def _objects(
        self,
        name: str,
        wish: Declared,
        relation: Relation,
        inner: Mapping[str, Declared],
        implied: bool,
        setting: str,
    ) -> Field:
        type_ = wish.type or "object"
        if type_ not in _OBJECTS:
            raise ConfigurationError(
                f"{setting}: the rows of relation {relation.name} are objects, and {type_} holds none",
                hint=f"declare one of {', '.join(sorted(_OBJECTS))}, or name a column: {relation.name}.…",
            )
        if "properties" in wish.options:
            raise ConfigurationError(
                f"{setting}: what is in the rows of a relation is declared field by field",
                hint=f"write {name}.title: {{type: text}} beside {name}, in place of properties",
            )
        level = _Level(relation.table, relation.relations, self.everything)
        wishes = {} if implied else level.of_rows(relation.columns, {each.partition(".")[0] for each in inner})
        return _checked(
            Field(
                name,
                "",
                type_,
                analyzer=wish.analyzer,
                keyword=wish.keyword,
                autocomplete=wish.autocomplete,
                boost=wish.boost,
                options=wish.options,
                related=Related(relation, level.resolved({**wishes, **inner}, setting)),
            ),
            setting,
        )

    def of_rows(self, columns: Iterable[str] | None, declared: set[str]) -> dict[str, Declared]:
        """Return what an object holds by itself; declared: names that something is said of."""
        if columns is not None:
            wishes = {name: Declared() for name in columns}
        else:
            # By default a name means the column: one that leads to a relation is often called like it.
            wishes = {name: Declared(column=name) for name in self.table.columns}
        if self.everything:
            wishes |= {name: Declared() for name in self.relations}
        return {name: wish for name, wish in wishes.items() if name not in self.relations or name not in declared}


def _takes_rows(wish: Declared | None) -> bool:
    return wish is not None and wish.relation is not None and wish.column is None and wish.aggregate is None


def _field(table: Table, name: str, column: str, wish: Declared, setting: str, related: Related | None = None) -> Field:
    if column not in table.columns:
        raise ConfigurationError(
            f"{setting}: {table} has no column {column}",
            hint=f"{suggestion(column, table.columns)}; the setting {setting}.column names another one",
        )
    type_ = FieldType(wish.type) if wish.type else _inferred(table, column, setting)
    return _of(name, column, wish, type_, related)


def _aggregated(
    relation: Relation, name: str, column: str, wish: Declared, aggregate: Aggregate, setting: str
) -> Field:
    table = relation.table
    if column and column not in table.columns:
        raise ConfigurationError(f"{setting}: {table} has no column {column}", hint=suggestion(column, table.columns))
    type_ = aggregated(aggregate, table.columns[column] if column else None)
    if type_ is None:
        raise ConfigurationError(
            f"{setting}: there is no {aggregate} of {table}.{column}, of type {table.columns[column].sql_type}",
            hint="name another column, or take all values: aggregate: array_agg",
        )
    return _of(name, column, wish, FieldType(wish.type) if wish.type else type_, Related(relation, (), aggregate))


def _of(name: str, column: str, wish: Declared, type_: FieldType, related: Related | None) -> Field:
    return Field(
        name=name,
        column=column,
        type=type_.name,
        analyzer=wish.analyzer,
        keyword=wish.keyword or type_.keyword,
        autocomplete=wish.autocomplete,
        boost=wish.boost,
        options=wish.options,
        related=related,
    )


def _inferred(table: Table, column: str, setting: str) -> FieldType:
    inferred = infer(table.columns[column])
    if inferred is None:
        raise ConfigurationError(
            f"{setting}: column {column} of {table} is of type {table.columns[column].sql_type}, "
            "for which there is no field type",
            hint=f"list the fields that you want, without it; or declare how to index it: {setting}: keyword",
        )
    return inferred


def fault_in_name(name: str) -> str | None:
    """Return what keeps a name from being that of a field outside of objects, if anything does."""
    return _KEPT if name in _OWN_NAMES else _fault_in_name(name)


def _fault_in_name(name: str) -> str | None:
    if any(not part.strip() for part in name.split(".")):
        return "is empty, or has an empty part before or after a dot"
    if len(name.encode()) > NAME_BYTES_MAX:
        return f"is longer than {NAME_BYTES_MAX} bytes"
    return None


def _check_name(name: str, setting: str) -> None:
    if fault := _fault_in_name(name):
        _refuse_name(name, fault, setting)


def _refuse_name(name: str, reason: str, setting: str) -> NoReturn:
    raise ConfigurationError(
        f"{setting}: the field name {name!r} {reason}",
        hint=f"list the fields, and give this one another name with `column: {name}`",
    )


def _checked(resolved: Field, setting: str) -> Field:
    if resolved.type not in FIELD_TYPES:
        raise ConfigurationError(
            f"{setting}: there is no field type {resolved.type}", hint=suggestion(resolved.type, FIELD_TYPES)
        )
    for option in ("analyzer", "keyword", "autocomplete"):
        if getattr(resolved, option) and resolved.type != "text":
            raise ConfigurationError(
                f"{setting}: {option} is for fields of type text, and this one is {resolved.type}",
                hint="declare `type: text`, or leave it out",
            )
    return resolved
