"""Fields out of settings and columns."""

from __future__ import annotations

import pytest

from syncer.core.declaration import Declared, resolve_fields
from syncer.core.error import ConfigurationError
from syncer.core.field import Field
from syncer.core.table import Column, Table

SETTING = "pipelines.items.fields"


def a_table(*columns: Column) -> Table:
    return Table(
        "public",
        "item",
        {column.name: column for column in (*columns, Column("updated_at", "timestamptz", "timestamptz"))},
        key=("id",),
        watermark="updated_at",
    )


TABLE = a_table(
    Column("id", "int8", "bigint"),
    Column("title", "text", "text"),
    Column("data", "jsonb", "jsonb"),
    Column("words", "tsvector", "tsvector"),
)


def test_every_column_by_default() -> None:
    """With nothing declared each column is a field, in their order, of the type that is inferred."""
    table = a_table(Column("id", "int8", "bigint"), Column("tags", "text", "text[]", array=True))
    assert resolve_fields(table, None, setting=SETTING) == (
        Field("id", "id", "long"),
        Field("tags", "tags", "text", keyword=True),
        Field("updated_at", "updated_at", "date"),
    )


def test_only_what_is_declared() -> None:
    """What is declared is taken, under its own name, and nothing else."""
    declared = {
        "headline": Declared(column="title", type="text", analyzer="english", autocomplete=True, boost=3),
        "data": Declared(options={"properties": {"a": {"type": "keyword"}}}),
        "title": Declared(),
        "words": Declared(type="keyword"),
    }
    assert resolve_fields(TABLE, declared, setting=SETTING) == (
        Field("headline", "title", "text", analyzer="english", autocomplete=True, boost=3),
        Field("data", "data", "object", options={"properties": {"a": {"type": "keyword"}}}),
        Field("title", "title", "text", keyword=True),
        Field("words", "words", "keyword"),
    )


@pytest.mark.parametrize(
    ("name", "declared", "message", "hint"),
    [
        ("titel", Declared(), "fields.titel: public.item has no column titel", "did you mean title?"),
        ("t", Declared(column="nope"), "fields.t: public.item has no column nope", "fields.t.column"),
        ("title", Declared(type="txt"), "fields.title: there is no field type txt", "did you mean text?"),
        ("title", Declared(type="Keyword"), "fields.title: there is no field type Keyword", "did you mean keyword?"),
        ("words", Declared(), "column words of public.item is of type tsvector", "fields.words: keyword"),
        ("id", Declared(analyzer="english"), "fields.id: analyzer is for fields of type text", "type: text"),
        ("title", Declared(type="keyword", keyword=True), "keyword is for fields of type text", "leave it out"),
        ("id", Declared(autocomplete=True), "autocomplete is for fields of type text, and this one is long", "text"),
    ],
)
def test_refused(name: str, declared: Declared, message: str, hint: str) -> None:
    """What cannot be resolved is named with its setting, and the hint says what to write."""
    with pytest.raises(ConfigurationError) as raised:
        resolve_fields(TABLE, {name: declared}, setting=SETTING)
    assert message in raised.value.message
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    "name", ["", " ", "a.", ".a", "a..b", "a. .b", "_id", "_source", "_syncer", "n" * 64, "ü" * 32]
)
def test_names_that_no_document_can_hold(name: str) -> None:
    """A name that Elasticsearch or Postgres cannot hold is refused, with the setting that gives another one."""
    with pytest.raises(ConfigurationError, match="the field name") as raised:
        resolve_fields(a_table(Column(name, "text", "text")), None, setting=SETTING)
    assert "column:" in raised.value.hint


@pytest.mark.parametrize("name", ["a.b", "_private", "Größe", "n" * 63, 'x"; drop'])
def test_names_that_a_document_can_hold(name: str) -> None:
    """Any other name is left as it is."""
    assert resolve_fields(a_table(Column(name, "text", "text")), None, setting=SETTING)[0].name == name


def test_types_that_only_look_built_in() -> None:
    """A composite type called like a built-in one is not that one; an enum is a keyword whatever it is called."""
    with pytest.raises(ConfigurationError, match="for which there is no field type"):
        resolve_fields(a_table(Column("c", "point", "my.point", kind="c")), None, setting=SETTING)
    assert resolve_fields(a_table(Column("e", "int4", "my.int4", kind="e")), None, setting=SETTING)[0].type == "keyword"
