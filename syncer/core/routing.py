"""What decides on the shards of documents, where that is no column of their own table."""

from __future__ import annotations

from collections.abc import Mapping

from syncer.core.error import ConfigurationError
from syncer.core.field import Field, Related
from syncer.core.relation import Relation
from syncer.core.suggestion import suggestion
from syncer.core.table import Table


def resolve_routing(table: Table, relations: Mapping[str, Relation], path: str, *, setting: str) -> Field:
    """Return the value that a path like `author.region` leads to, as a field of that name that no document has.

    Raises ConfigurationError, which names the setting, where a relation or column is not there, or may lead to many
    rows.
    """
    *names, column = path.split(".")
    found: Relation | None = None
    for name in names:
        if name not in relations:
            raise ConfigurationError(f"{setting}: {table} has no relation {name}", hint=suggestion(name, relations))
        if relations[name].many:
            raise ConfigurationError(
                f"{setting}: relation {name} leads to many rows, and a document has one routing",
                hint="name a column that is reached by relations to one row each, or one of the table itself",
            )
        found = found.then(relations[name]) if found else relations[name]
        table, relations = found.table, found.relations
    assert found
    if column not in table.columns:
        raise ConfigurationError(f"{setting}: {table} has no column {column}", hint=suggestion(column, table.columns))
    return Field(path, column, "keyword", related=Related(found))
