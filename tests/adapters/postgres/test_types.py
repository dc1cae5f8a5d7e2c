"""`docs/types.md` is what happens: each row of its tables is stored, hydrated, indexed and compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.session import Session
from syncer.core.change import Document
from syncer.core.column_type import infer
from syncer.core.declaration import Declared, resolve_fields
from syncer.core.error import ConfigurationError
from syncer.core.field import Field
from syncer.core.index import write_alias
from syncer.core.outcome import Applied, Rejected
from syncer.core.table import Column
from tests.adapters.postgres.conftest import ReadTable
from tests.conftest import Elastic

DOCS = (Path(__file__).parents[3] / "docs" / "types.md").read_text()
INFERRED, DECLARED, WITHOUT, REJECTED = (
    DOCS.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    for heading in ("Inferred", "Declared", "Without a field type", "Rejected")
)
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Example:
    """A row of a table."""

    column_type: str
    sql: str
    field_type: str
    keyword: bool
    options: dict[str, Any]
    #: JSON; or why it is rejected.
    value: str


def examples(section: str) -> list[Example]:
    found = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("| `"):
            continue
        kind, *more = _CODE.findall(cells[2])
        options = json.loads(more[0]) if " with " in cells[2] else {}
        code = [cells[i].removeprefix("`").removesuffix("`") for i in (0, 1, 3)]
        found.append(Example(code[0], code[1], kind, "+ `keyword`" in cells[2], options, code[2]))
    return found


@pytest.fixture(name="types")
def _types(admin: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The database with the types that the page makes."""
    admin.execute(DOCS.split("```sql\n")[1].split("```")[0])
    return admin


def create(types: psycopg.Connection[Any], found: Sequence[Example]) -> dict[str, Example]:
    """Make a table with a column for each example, a row of the examples and a row of NULLs; return them by column."""
    columns = {f"c{i}_{re.sub('[^a-z0-9]', '', example.column_type)}": example for i, example in enumerate(found)}
    types.execute("CREATE TABLE item (id integer PRIMARY KEY, updated_at timestamptz DEFAULT now())")
    types.execute("INSERT INTO item (id) VALUES (1), (2)")
    for name, example in list(columns.items()):
        try:
            types.execute(f"ALTER TABLE item ADD COLUMN {name} {example.column_type}")
            types.execute(f"UPDATE item SET {name} = {example.sql} WHERE id = 1")
        except psycopg.errors.FeatureNotSupported:
            assert example.column_type in {"xml", "xml[]"}, "servers may be built without xml, and nothing else"
            types.execute(f"ALTER TABLE item DROP COLUMN {name}")
            del columns[name]
    return columns


def stored(elastic: Elastic, index: str, body: str) -> Any:
    """Index a document and return what comes back; a real server has to be asked for vectors."""
    headers = {"accept": "application/json", "content-type": "application/json"}
    path = f"/{index}/_doc/1"
    elastic.client.perform_request("PUT", path, headers=headers, body=body)
    asked = "?_source_exclude_vectors=false" if elastic.real else ""
    return elastic.client.perform_request("GET", path + asked, headers=headers).body["_source"]


def check_values(
    columns: Mapping[str, Example], fields: Sequence[Field], documents: PostgresDocuments, elastic: Elastic, index: str
) -> None:
    """Compare both rows with the page: as hydrated, to the last digit, and as they come back from the index."""
    elastic.client.indices.create(index=index, mappings=mapping(fields, []))
    hydration = documents.hydrate([("1",), ("2",)])
    assert hydration.unreadable == {}
    bodies = {draft.key: draft.body for draft in hydration.drafts}
    full, empty = bodies["1",], bodies["2",]
    assert exact(full) == {name: exact(example.value) for name, example in columns.items()}
    assert stored(elastic, index, full) == {name: json.loads(example.value) for name, example in columns.items()}
    assert stored(elastic, index, empty) == dict.fromkeys(columns)


def test_inferred_types(
    types: psycopg.Connection[Any], read: ReadTable, session: Session, elastic: Elastic, index_prefix: str
) -> None:
    """A column's type decides the field's, and the value arrives in the index as the page says."""
    columns = create(types, examples(INFERRED))
    table = read()
    fields = [field for field in resolve_fields(table, None, setting="fields") if field.name in columns]
    inferred = {field.name: (field.type, field.keyword) for field in fields}
    assert inferred == {name: (example.field_type, example.keyword) for name, example in columns.items()}
    check_values(columns, fields, PostgresDocuments(session, table, fields, []), elastic, index_prefix)


def test_arrays_of_each_type(
    types: psycopg.Connection[Any], read: ReadTable, session: Session, elastic: Elastic, index_prefix: str
) -> None:
    """An array's field has the type of its elements, and their values, in their order and with NULL among them.

    Of multiranges it has all ranges, and no more than those.
    """
    found = [e for e in examples(INFERRED) if not e.column_type.endswith(("[]", "vector"))]
    arrays = [
        replace(
            example,
            column_type=f"{example.column_type}[]",
            sql=f"ARRAY[{example.sql}, NULL]::{example.column_type}[]",
            value=example.value if "multirange" in example.column_type else f"[{example.value}, null]",
        )
        for example in found
    ]
    columns = create(types, arrays)
    table = read()
    fields = [field for field in resolve_fields(table, None, setting="fields") if field.name in columns]
    inferred = {field.name: (field.type, field.keyword) for field in fields}
    assert inferred == {name: (example.field_type, example.keyword) for name, example in columns.items()}
    check_values(columns, fields, PostgresDocuments(session, table, fields, []), elastic, index_prefix)


def test_declared_types(
    types: psycopg.Connection[Any], read: ReadTable, session: Session, elastic: Elastic, index_prefix: str
) -> None:
    """A declared type is taken, and the value is written as that type takes it."""
    columns = create(types, examples(DECLARED))
    table = read()
    declared = {name: Declared(type=e.field_type, options=e.options) for name, e in columns.items()}
    fields = resolve_fields(table, declared, setting="fields")
    check_values(columns, fields, PostgresDocuments(session, table, fields, []), elastic, index_prefix)


def test_rejected_values(
    types: psycopg.Connection[Any], read: ReadTable, session: Session, real_elastic: Elastic, index_prefix: str
) -> None:
    """Each value makes its own row a rejected one; the row without any of them goes through."""
    columns = create(types, examples(REJECTED))
    for i, name in enumerate(columns, start=10):
        types.execute(f"INSERT INTO item (id, {name}) SELECT {i}, {name} FROM item WHERE id = 1")
    table = read()
    declared = {name: Declared(type=e.field_type, options=e.options) for name, e in columns.items()}
    fields = resolve_fields(table, declared, setting="fields")
    hydration = PostgresDocuments(session, table, fields, []).hydrate([("2",), *((str(10 + i),) for i in range(99))])
    index = f"{index_prefix}-1"
    ElasticIndices(real_elastic.client, mapping(fields, []), IndexSettings()).create(index, {})
    writes = [Document(draft, {}, 1) for draft in hydration.drafts]
    outcomes = ElasticSink(real_elastic.client, write_alias(index)).write(writes)
    found = {write.key[0]: outcome for write, outcome in zip(writes, outcomes, strict=True)}
    assert found.pop("2") == Applied(created=True)
    assert len(found) == len(columns)
    assert [name for name, key in zip(columns, found, strict=True) if not isinstance(found[key], Rejected)] == []


def test_half_of_a_surrogate_pair_is_kept(
    admin: psycopg.Connection[Any], read: ReadTable, session: Session, real_elastic: Elastic, index_prefix: str
) -> None:
    """JSON may name one that stands alone, and the document that comes back names it too."""
    admin.execute("CREATE TABLE item (id integer PRIMARY KEY, half json, updated_at timestamptz)")
    admin.execute("""INSERT INTO item VALUES (1, '{"a": "\\ud800"}')""")
    table = read()
    fields = resolve_fields(table, None, setting="fields")
    (draft,) = PostgresDocuments(session, table, fields, []).hydrate([("1",)]).drafts
    real_elastic.client.indices.create(index=index_prefix, mappings=mapping(fields, []))
    assert stored(real_elastic, index_prefix, draft.body)["half"] == {"a": "\ud800"}


def exact(text: str) -> Any:
    """Return JSON with every digit of its numbers."""
    return json.loads(text, parse_float=Decimal)


def test_no_built_in_type_is_missing(admin: psycopg.Connection[Any]) -> None:
    """Every type of the catalogue is on the page: with a field type, or among those without."""
    built_in = {
        name: Column(name, name, name, kind=kind)
        for name, kind in admin.execute(
            """
            SELECT typname, typtype FROM pg_type
             WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') AND typrelid = 0
               AND NOT (typcategory = 'A' AND typname LIKE '\\_%')
            """
        )
    }
    vectors = {"int2vector", "oidvector"}
    documented = [example.column_type for example in examples(INFERRED)]
    names = "SELECT typname FROM pg_type WHERE oid = ANY(%s::regtype[])"
    plain = [name for name in documented if name not in {"mood", "year", "leap"} and not name.endswith("[]")]
    inferred = {name for (name,) in admin.execute(names, (plain,))}
    without = set(_CODE.findall(WITHOUT)) - {"fields"}
    assert inferred - vectors == {name for name, column in built_in.items() if infer(column)}
    assert without == {name for name, column in built_in.items() if not infer(column)} - vectors


@pytest.mark.parametrize("column_type", ["tsvector", "tsvector[]", "regclass", "place"])
def test_column_without_field_type(column_type: str, admin: psycopg.Connection[Any], read: ReadTable) -> None:
    """A column whose type has no field type stops the pipeline; the message names the column and what to declare."""
    admin.execute("CREATE TYPE place AS (street text, number integer)")
    admin.execute(f"CREATE TABLE item (id integer PRIMARY KEY, search {column_type}, updated_at timestamptz)")
    with pytest.raises(ConfigurationError, match=r"column search of public\.item is of type") as raised:
        resolve_fields(read(), None, setting="pipelines.items.fields")
    assert "pipelines.items.fields.search: keyword" in raised.value.hint


def test_composite_as_object(admin: psycopg.Connection[Any], read: ReadTable, session: Session) -> None:
    """A composite value is an object where one is declared, on one line whatever JSON is inside."""
    admin.execute("CREATE TYPE place AS (street text, more json)")
    admin.execute("CREATE TABLE item (id integer PRIMARY KEY, p place, updated_at timestamptz)")
    admin.execute("""INSERT INTO item VALUES (1, ROW('Elm', E'{"a":\n1}'))""")
    table = read()
    fields = resolve_fields(table, {"p": Declared(type="object")}, setting="fields")
    (draft,) = PostgresDocuments(session, table, fields, []).hydrate([("1",)]).drafts
    assert "\n" not in draft.body
    assert json.loads(draft.body) == {"p": {"street": "Elm", "more": {"a": 1}}}
