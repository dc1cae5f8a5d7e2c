"""Reading a table from the catalogue, and refusing what cannot work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.catalog import read_table
from syncer.core.error import AccessDenied, ConfigurationError
from syncer.core.table import Column
from tests.adapters.postgres.conftest import OpenSession, ReadTable
from tests.services.postgres import PostgresServer, create_database, drop_database

SCHEMA = """
CREATE TABLE item (
    id integer PRIMARY KEY,
    title text,
    valid_until timestamptz,
    deleted boolean,
    local timestamp,
    updated_at timestamptz NOT NULL
);
CREATE VIEW looks AS SELECT * FROM item;
CREATE MATERIALIZED VIEW stored AS SELECT * FROM item;
CREATE TABLE loose (id integer, updated_at timestamptz);
CREATE TABLE parts (id integer PRIMARY KEY, updated_at timestamptz) PARTITION BY RANGE (id);
CREATE TYPE place AS (x integer, y integer);
CREATE DOMAIN spot AS place;
CREATE TABLE odd_key (
    tags text[], place place, spot spot, vector int2vector, id integer PRIMARY KEY, updated_at timestamptz
);
CREATE FUNCTION latest() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';

CREATE SCHEMA other;
CREATE TABLE other.item (id integer PRIMARY KEY, updated_at timestamptz);

CREATE SCHEMA "odd ""one";
CREATE TABLE "odd ""one"."x""; drop table item; --" (id integer PRIMARY KEY, updated_at timestamptz);

CREATE SCHEMA shop;
CREATE TYPE shop."Mood" AS ENUM ('sad');
CREATE DOMAIN shop.label AS varchar(20);
CREATE DOMAIN shop.labels AS shop.label[];
CREATE TABLE shop.good (
    code shop.label, gone integer, number char(5), mood shop."Mood"[], labels shop.labels,
    price numeric(10, 2), double integer GENERATED ALWAYS AS (2) STORED, vector int2vector,
    updated_at timestamptz, PRIMARY KEY (number, code)
);
ALTER TABLE shop.good DROP COLUMN gone
"""


@pytest.fixture(name="postgres_url", scope="module")
def _postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """One database for all tests here: none of them changes it."""
    url = create_database(postgres_server)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA)
    yield url
    drop_database(postgres_server, url)


def test_columns(read: ReadTable) -> None:
    """Columns come in their order, with the types below domains and arrays; dropped ones are gone."""
    table = read("shop.good")
    assert str(table) == "shop.good"
    assert table.key == ("number", "code")
    assert list(table.columns.values()) == [
        Column("code", "varchar", "character varying", nullable=False),
        Column("number", "bpchar", "bpchar", nullable=False),
        Column("mood", "Mood", 'shop."Mood"[]', array=True, kind="e"),
        Column("labels", "varchar", "character varying[]", array=True),
        Column("price", "numeric", "numeric"),
        Column("double", "int4", "integer"),
        Column("vector", "int2", "smallint[]", array=True),
        Column("updated_at", "timestamptz", "timestamp with time zone"),
    ]


@pytest.mark.parametrize(
    "written",
    ['odd "one.x"; drop table item; --', '"odd ""one"."x""; drop table item; --"'],
)
def test_odd_names(written: str, read: ReadTable) -> None:
    """A table is found by its name as it is, and as SQL quotes it."""
    table = read(written)
    assert (table.schema, table.name) == ('odd "one', 'x"; drop table item; --')


def test_search_path(read: ReadTable) -> None:
    """A name without schema is looked up as the server would; one with a schema is that one."""
    assert read("item").schema == "public"
    assert read("other.item").schema == "other"


def test_partitioned_table(read: ReadTable) -> None:
    """A partitioned table is a table like any other."""
    assert read("parts").key == ("id",)


@pytest.mark.parametrize(
    ("name", "settings", "message", "hint"),
    [
        ("itme", {}, "pipelines.items.table: there is no table itme", "did you mean item?"),
        ("public.Item", {}, "there is no table public.Item", "did you mean public.item?"),
        ("looks", {}, "pipelines.items.table: public.looks is a view", "name the table"),
        ("stored", {}, "public.stored is a materialized view", "name the table"),
        ("item", {"key": ("ID",)}, "pipelines.items.key: public.item has no column ID", "did you mean id?"),
        ("loose", {}, "pipelines.items.key: public.loose has no primary key", "name the columns"),
        ("item", {"watermark": "update_at"}, "items.watermark: public.item has no column update_at", "updated_at"),
        ("item", {"watermark": "title"}, "public.item.title is of type text", "updated_at"),
        ("item", {"watermark": "local"}, "pipelines.items.watermark_zone is missing", "UTC"),
        (
            "item",
            {"watermark": "local", "watermark_zone": "Europe/Berln"},
            "pipelines.items.watermark_zone: there is no time zone Europe/Berln",
            "did you mean Europe/Berlin?",
        ),
        ("item", {"watermark_zone": "UTC"}, "items.watermark_zone: public.item.updated_at is a timestamptz", "out"),
        ("item", {"soft_delete": "deletet"}, "pipelines.items.soft_delete: public.item has no", "did you mean deleted"),
        ("item", {"soft_delete": "title"}, "public.item.title is of type text, neither a time nor boolean", "where"),
        (
            "item",
            {"routing": "tittle"},
            "pipelines.items.routing: public.item has no column tittle",
            "did you mean title?",
        ),
        (
            "odd_key",
            {"key": ("id", "tags")},
            "key: public.odd_key.tags is of type text[], an array",
            "plain types",
        ),
        ("odd_key", {"key": ("vector",)}, "public.odd_key.vector is of type smallint[], an array", "plain types"),
        ("odd_key", {"key": ("place",)}, "public.odd_key.place is of type public.place, a composite", "plain types"),
        ("odd_key", {"key": ("spot",)}, "public.odd_key.spot is of type public.place, a composite", "plain types"),
        ("item", {"where": "nope = 1"}, 'pipelines.items.where: column "nope" does not exist', "nope = 1"),
        ("item", {"where": "id ="}, "pipelines.items.where: syntax error", "id ="),
        ("item", {"where": "title"}, "pipelines.items.where: argument of WHERE must be type boolean", "title"),
    ],
)
def test_what_cannot_serve_is_refused(
    name: str, settings: dict[str, Any], message: str, hint: str, read: ReadTable
) -> None:
    """† What is not there or cannot serve is refused in words that name the setting and say what to do."""
    with pytest.raises(ConfigurationError) as raised:
        read(name, **settings)
    assert message in raised.value.message
    assert hint in raised.value.hint


@pytest.fixture(name="virtual")
def _virtual(postgres_url: str) -> Iterator[str]:
    """A table with a virtual generated column `shout`, and a stored one `stored`."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        if connection.info.server_version < 180000:
            pytest.skip("there are no virtual generated columns before Postgres 18")
        connection.execute(
            "CREATE TABLE loud (id integer PRIMARY KEY, title text, updated_at timestamptz,"
            " shout text GENERATED ALWAYS AS (upper(title)) VIRTUAL,"
            " stored text GENERATED ALWAYS AS (upper(title)) STORED)"
        )
        yield "loud"
        connection.execute("DROP TABLE loud")


@pytest.mark.parametrize("setting", [{"routing": "shout"}, {"key": ("id", "shout")}])
def test_what_triggers_cannot_see_is_neither_key_nor_routing(
    setting: dict[str, Any], virtual: str, read: ReadTable
) -> None:
    """Postgres computes virtual columns when they are read: tombstones would name the wrong shard."""
    with pytest.raises(ConfigurationError, match=r"public\.loud\.shout is a virtual generated column") as raised:
        read(virtual, **setting)
    assert raised.value.message.startswith(f"pipelines.items.{next(iter(setting))}: ")
    assert "STORED" in raised.value.hint


def test_a_stored_column_may_be_routing(virtual: str, read: ReadTable) -> None:
    """And a virtual one may be there."""
    table = read(virtual, routing="stored")
    assert [name for name, column in table.columns.items() if column.virtual] == ["shout"]


def test_accepted_settings(read: ReadTable) -> None:
    """Each setting that can work is kept as it is."""
    table = read(
        key=("title", "id"),
        watermark="local",
        watermark_zone="Europe/Berlin",
        soft_delete="deleted",
        where="title = 'now()' -- a comment",
    )
    assert (table.key, table.watermark, table.watermark_zone) == (("title", "id"), "local", "Europe/Berlin")
    assert (table.soft_delete, table.where) == ("deleted", "title = 'now()' -- a comment")
    assert read(soft_delete="valid_until").soft_delete == "valid_until"


@pytest.mark.parametrize(
    "where",
    [
        "valid_until > now()",
        "valid_until > (SELECT now())",
        "valid_until > CURRENT_TIMESTAMP",
        "valid_until::date >= current_date",
        "local > localtimestamp(0)",
        "valid_until > clock_timestamp()",
        "age(valid_until) < interval '1 day'",
        "valid_until > 'now'",
        "valid_until > timestamptz ' Tomorrow'",
        "valid_until > latest()",
    ],
)
def test_where_that_asks_the_clock(where: str, read: ReadTable) -> None:
    """A condition whose truth changes while the row does not is refused, also where a function hides it."""
    with pytest.raises(ConfigurationError, match=r"pipelines\.items\.where: .* makes rows enter and leave"):
        read(where=where)


@pytest.mark.parametrize(
    "where",
    [
        "title <> 'now() or current_date'",
        "title = 'today'",
        "valid_until > '2024-01-01 12:30'",
        "title LIKE '100%' OR title = ':name'",
        "deleted IS NOT TRUE",
    ],
)
def test_where_that_does_not(where: str, read: ReadTable) -> None:
    """Words in a string are no calls, and colons and percent signs mean nothing but themselves."""
    assert read(where=where).where == where


def test_where_without_privilege(role: str, open_session: OpenSession) -> None:
    """A table that this role may not read is no mistake in the condition."""
    with pytest.raises(AccessDenied, match="permission denied for table item"):
        read_table(
            open_session(role),
            "item",
            key=(),
            watermark="updated_at",
            watermark_zone=None,
            soft_delete=None,
            where="id > 1",
            routing=None,
            setting="pipelines.items",
        )
