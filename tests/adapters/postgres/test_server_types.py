"""Types that not every server has: those of extensions, and virtual columns."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.session import Session
from syncer.core.column_type import FieldType, infer
from syncer.core.declaration import Declared, resolve_fields
from syncer.core.table import Column
from tests.adapters.postgres.conftest import ReadTable
from tests.adapters.postgres.test_types import DOCS, Example, check_values, create, examples
from tests.conftest import Elastic

Connection = psycopg.Connection[Any]
EXTENSIONS = DOCS.split("\n## Extensions\n")[1].split("\n## ")[0]
INFERRED, DECLARED = EXTENSIONS.split("have to be declared")

#: PostGIS's types as far as hydration looks at them, in a schema that is not in the search_path: this shows the
#: statement and what the catalogue says, not PostGIS. The modifier (4,2) stands for (Point,4326).
STAND_IN = """
CREATE SCHEMA "g.is";
CREATE TYPE "g.is".geometry;
CREATE FUNCTION "g.is".read(cstring) RETURNS "g.is".geometry LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION "g.is".write("g.is".geometry) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE "g.is".geometry (INPUT = "g.is".read, OUTPUT = "g.is".write, LIKE = text,
                             TYPMOD_IN = numerictypmodin, TYPMOD_OUT = numerictypmodout);
CREATE TYPE "g.is".geography;
CREATE FUNCTION "g.is".parse(cstring) RETURNS "g.is".geography LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION "g.is".print("g.is".geography) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE "g.is".geography (INPUT = "g.is".parse, OUTPUT = "g.is".print, LIKE = text);
CREATE CAST ("g.is".geography AS "g.is".geometry) WITH INOUT;
CREATE FUNCTION "g.is".point("g.is".geometry) RETURNS point LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    CASE $1::text
        WHEN 'POINT EMPTY' THEN RETURN NULL;
        WHEN 'LINE' THEN RAISE EXCEPTION 'geometry_to_point only accepts Points' USING ERRCODE = 'XX000';
        ELSE RETURN $1::text::point;
    END CASE;
END
$$;
CREATE CAST ("g.is".geometry AS point) WITH FUNCTION "g.is".point("g.is".geometry);
CREATE DOMAIN spot AS "g.is".geometry(4,2);
CREATE TABLE item (
    id integer PRIMARY KEY, at "g.is".geometry(4,2), every "g.is".geometry[], spot spot, sphere "g.is".geography,
    updated_at timestamptz
);
INSERT INTO item VALUES (1, '(13.4,52.5)', ARRAY['(1,2)', 'POINT EMPTY', NULL]::"g.is".geometry[], '(3,4)', '(5,6)');
INSERT INTO item (id, at) VALUES (2, NULL), (3, 'LINE')
"""


@pytest.mark.parametrize(
    ("example", "declared"),
    [(example, False) for example in examples(INFERRED)] + [(example, True) for example in examples(DECLARED)],
    ids=lambda value: getattr(value, "column_type", None),
)
def test_types_of_extensions(
    example: Example,
    declared: bool,
    admin: Connection,
    read: ReadTable,
    session: Session,
    elastic: Elastic,
    index_prefix: str,
) -> None:
    """A value arrives in the index as the page says; in a schema of its own, for extensions may be in any."""
    extension = example.column_type.split("[")[0].split("(")[0]
    if not admin.execute("SELECT 1 FROM pg_available_extensions WHERE name = %s", (extension,)).fetchone():
        pytest.skip(f"the server has no extension {extension}")
    admin.execute(f'CREATE SCHEMA "e.xt"; CREATE EXTENSION "{extension}" SCHEMA "e.xt"')
    admin.execute('SET search_path = public, "e.xt"')
    columns = create(admin, [example])
    table = read()
    wish = Declared(type=example.field_type, options=example.options) if declared else Declared()
    fields = resolve_fields(table, dict.fromkeys(columns, wish), setting="fields")
    assert [(field.type, field.keyword) for field in fields] == [(example.field_type, example.keyword)]
    check_values(columns, fields, PostgresDocuments(session, table, fields, []), elastic, index_prefix)


@pytest.mark.parametrize(
    ("sql_type", "inferred"),
    [
        ("public.geometry(Point,4326)", FieldType("geo_point")),
        ('"g.is".geography(PointZ,4326)[]', FieldType("geo_point")),
        ("public.geometry(MultiPoint,4326)", None),
        ("public.geometry", None),
    ],
)
def test_columns_of_points(sql_type: str, inferred: FieldType | None) -> None:
    """What a column of PostGIS's may hold decides."""
    name = "geography" if "geography" in sql_type else "geometry"
    assert infer(Column("at", name, sql_type)) == inferred
    assert infer(Column("at", name, sql_type, kind="c")) is None


def test_postgis(admin: Connection, read: ReadTable, session: Session) -> None:
    """A point becomes longitude and latitude, through casts that need no search_path; what is no point, a bad row."""
    admin.execute(STAND_IN)
    table = read()
    names = ["at", "every", "spot", "sphere"]
    assert [table.columns[name].sql_type for name in names] == [
        '"g.is".geometry(4,2)',
        '"g.is".geometry[]',
        '"g.is".geometry(4,2)',
        '"g.is".geography',
    ]
    fields = resolve_fields(table, dict.fromkeys(names, Declared(type="geo_point")), setting="fields")
    hydration = PostgresDocuments(session, table, fields, []).hydrate([("1",), ("2",), ("3",)])
    found = {draft.key[0]: json.loads(draft.body) for draft in hydration.drafts}
    assert found == {
        "1": {
            "at": {"lon": 13.4, "lat": 52.5},
            "every": [{"lon": 1, "lat": 2}, None, None],
            "spot": {"lon": 3, "lat": 4},
            "sphere": {"lon": 5, "lat": 6},
        },
        "2": dict.fromkeys(names),
    }
    assert hydration.unreadable == {("3",): "geometry_to_point only accepts Points"}


@pytest.mark.parametrize("kind", ["STORED", "VIRTUAL"])
def test_generated_columns(kind: str, admin: Connection, read: ReadTable, session: Session) -> None:
    """They are in the document with what they are generated from, and a virtual one that fails makes its row bad."""
    if kind == "VIRTUAL" and admin.info.server_version < 180000:
        pytest.skip("there are no virtual generated columns before Postgres 18")
    admin.execute(
        "CREATE TABLE item (id integer PRIMARY KEY, n integer, updated_at timestamptz,"
        f" double integer GENERATED ALWAYS AS (2 * n) {kind}, inverse integer GENERATED ALWAYS AS (12 / n) {kind});"
        "INSERT INTO item VALUES (1, 3)"
    )
    if kind == "VIRTUAL":
        admin.execute("INSERT INTO item VALUES (2, 0)")
    table = read()
    fields = resolve_fields(table, None, setting="fields")
    hydration = PostgresDocuments(session, table, fields, []).hydrate([("1",), ("2",)])
    assert [json.loads(draft.body) for draft in hydration.drafts] == [
        {"id": 1, "n": 3, "updated_at": None, "double": 6, "inverse": 4}
    ]
    assert hydration.unreadable == ({("2",): "division by zero"} if kind == "VIRTUAL" else {})
