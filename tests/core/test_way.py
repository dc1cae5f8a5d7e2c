"""The ways from a root table to those in its documents."""

from __future__ import annotations

from dataclasses import replace

from syncer.core.field import Field, Related
from syncer.core.relation import Join, Relation
from syncer.core.table import Table
from syncer.core.way import ways

AUTHORS = Table("public", "authors", {}, ("id",), watermark=None)
COUNTRIES = Table("public", "countries", {}, ("code",), watermark="updated_at")
AUTHOR = Relation("author", (Join(AUTHORS, (("author_id", "id"),)),))
COUNTRY = Relation("country", (Join(COUNTRIES, (("country", "code"),)),))


def test_fields_without_relations_lead_nowhere() -> None:
    """The root itself is no way."""
    assert ways([Field("id", "id", "long")]) == []


def test_an_object_in_an_object_goes_the_way_of_a_value() -> None:
    """Both take from the same rows."""
    inner = Field("country", "", "object", related=Related(COUNTRY, (Field("name", "name", "text"),)))
    nested = Field("author", "", "object", related=Related(AUTHOR, (inner,)))
    value = Field("country", "name", "text", related=Related(AUTHOR.then(COUNTRY)))
    expected = [AUTHOR.joins, AUTHOR.joins + COUNTRY.joins]
    assert ways([nested]) == ways([value]) == ways([nested, value]) == expected


def test_other_columns_are_another_way() -> None:
    """The same table may be reached twice; of two equal ways that which has a watermark is followed."""
    editor = Relation("editor", (Join(AUTHORS, (("editor_id", "id"),)),))
    stamped = Relation("writer", (Join(replace(AUTHORS, watermark="changed"), (("author_id", "id"),)),))
    fields = [Field(of.name, "name", "text", related=Related(of)) for of in (AUTHOR, editor, stamped)]
    assert ways(fields) == [stamped.joins, editor.joins]
