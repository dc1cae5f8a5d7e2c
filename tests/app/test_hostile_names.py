"""Names that would end a statement and begin another, through every command that makes statements of them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.app.deployment import Deployment

END = '"; drop table y; --'
#: What would end a text, a format, a dollar quote, a comment.
SCHEMA, TABLE, AUTHORS, TAGS, TAGGED = f"s'{END}", f"x{END}", f"a$$ ;{END}", f"t*/ {END}", f"%s {{0}} :x{END}"
KEY, STAMP, TITLE, AUTHOR, GONE = f"k{END}", f"w$${END}", f"t'); drop table y; --{END}", f"r{END}", f"d{END}"
VALUES = [
    "'; drop table y; --",
    '"); drop table y; --',
    "\\'; drop table y; --",
    "$$; drop table y; $$",
    "%(x)s :y {z}",
]

TABLES = """
    CREATE TABLE public.y (z integer); INSERT INTO public.y VALUES (1);
    CREATE SCHEMA {schema};
    CREATE TABLE {schema}.y (z integer); INSERT INTO {schema}.y VALUES (1);
    CREATE TABLE {schema}.{authors} ({key} text PRIMARY KEY, {title} text, {stamp} timestamptz DEFAULT now());
    CREATE TABLE {schema}.{table} (
        {key} text PRIMARY KEY, {title} text, {author} text, {gone} boolean, {stamp} timestamptz DEFAULT now()
    );
    CREATE INDEX ON {schema}.{table} ({stamp}, {key});
    CREATE TABLE {schema}.{tags} ({key} text PRIMARY KEY, {title} text, {stamp} timestamptz DEFAULT now());
    CREATE TABLE {schema}.{tagged} ({author} text, {key} text, PRIMARY KEY ({author}, {key}));
"""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Hostile:
    """Tables with such names, and a pipeline of them."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.run("", TABLES)
        for value in VALUES:
            self.run(value, "INSERT INTO {schema}.{authors} VALUES ({value}, {value})")
            self.run(value, "INSERT INTO {schema}.{tags} VALUES ({value}, {value})")
            self.run(value, "INSERT INTO {schema}.{tagged} VALUES ({value}, {value})")
            self.run(value, "INSERT INTO {schema}.{table} VALUES ({value}, {value}, {value}, false)")
        schema = quoted(SCHEMA)
        deployment.configure(
            table=f"{schema}.{quoted(TABLE)}",
            watermark=STAMP,
            soft_delete=GONE,
            where=f"{quoted(TITLE)} <> 'left out; drop table y; --'",
            fields={
                TITLE: {"type": "text", "keyword": True},
                f"one{END}": {"relation": f"one{END}"},
                f"many{END}": {"column": f"many{END}.{TITLE}", "type": "keyword"},
                f"count{END}": {"relation": f"many{END}", "aggregate": "count"},
            },
            relations={
                f"one{END}": {
                    "table": f"{schema}.{quoted(AUTHORS)}",
                    "on": {AUTHOR: KEY},
                    "columns": [TITLE],
                    "watermark": STAMP,
                },
                f"many{END}": {
                    "table": f"{schema}.{quoted(TAGS)}",
                    "through": [{"table": f"{schema}.{quoted(TAGGED)}", "on": {KEY: AUTHOR}}],
                    "on": {KEY: KEY},
                    "many": True,
                    "order_by": f"-{TITLE}",
                    "watermark": STAMP,
                },
            },
        )

    def run(self, value: str, template: str) -> None:
        """Run a statement with these names and a value."""
        names = {
            "schema": SCHEMA,
            "table": TABLE,
            "authors": AUTHORS,
            "tags": TAGS,
            "tagged": TAGGED,
            "key": KEY,
            "stamp": STAMP,
            "title": TITLE,
            "author": AUTHOR,
            "gone": GONE,
        }
        parts: dict[str, sql.Composable] = {name: sql.Identifier(text) for name, text in names.items()}
        with psycopg.connect(self.deployment.postgres_url, autocommit=True) as connection:
            connection.execute(sql.SQL(template).format(**parts, value=sql.Literal(value)))

    def succeeds(self, *arguments: str) -> str:
        code, out, err = self.deployment.run(*arguments)
        assert code == 0, f"{arguments}: {out}{err}"
        return out

    def documents(self) -> dict[str, Any]:
        alias = f"{self.deployment.prefix}-articles"
        self.deployment.elastic.client.indices.refresh(index=alias)
        hits = self.deployment.elastic.client.search(index=alias, source_excludes=["_syncer"])["hits"]["hits"]
        return {hit["_id"]: hit["_source"] for hit in hits}

    def document(self, value: str, title: str | None = None) -> dict[str, Any]:
        return {
            TITLE: title or value,
            f"one{END}": {TITLE: value},
            f"many{END}": [value],
            f"count{END}": 1,
        }

    def prove_untouched(self) -> None:
        """Look whether the tables are there that the names would drop."""
        with psycopg.connect(self.deployment.postgres_url) as connection:
            for schema in ("public", SCHEMA):
                found = connection.execute(sql.SQL("SELECT z FROM {}.y").format(sql.Identifier(schema))).fetchall()
                assert found == [(1,)]


@pytest.fixture(name="hostile")
def _hostile(deployment: Deployment) -> Hostile:
    return Hostile(deployment)


@pytest.mark.parametrize("as_json", [False, True])
def test_names_are_shown_and_not_obeyed(deployment: Deployment, as_json: bool) -> None:
    """By a terminal: of tables and columns, in what `init` and `check` say of them, SQL included."""
    table, column = "a\x1b[31mb", "c\x1b]0;title\x07d"
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
    with psycopg.connect(deployment.postgres_url, autocommit=True) as connection:
        connection.execute("DROP TABLE articles")
        connection.execute(
            sql.SQL("CREATE TABLE {table} (id integer PRIMARY KEY, {column} text, updated_at timestamptz)").format(
                **names
            )
        )
    deployment.configure(table=quoted(table), soft_delete=column, fields=None)
    init = ["init", "--yes", "--source-url", deployment.postgres_url]
    output = ["--json"] if as_json else []
    for arguments in (
        [*init, "--output", "-"],
        ["check", "--show-sql", *output],
        [*init, "--output", "-", "--table", "\x1b"],
    ):
        said = "".join(map(str, deployment.run(*arguments)))
        assert "\x1b" not in said, arguments
        assert "\x07" not in said, arguments
        assert "x1b" in said.replace("u00", "x"), arguments


def test_names_are_never_read_as_sql(hostile: Hostile) -> None:
    """Of schema, tables, key, watermark, columns, relations and fields; nor are keys and texts."""
    deployment = hostile.deployment
    client, alias = deployment.elastic.client, f"{deployment.prefix}-articles"
    hostile.succeeds("migrate")
    hostile.run("", deployment.run("install-triggers", "articles", "--print")[1].replace("{", "{{").replace("}", "}}"))
    hostile.succeeds("install-triggers", "articles")
    hostile.succeeds("run", "--once")
    expected = {value: hostile.document(value) for value in VALUES}
    assert hostile.documents() == expected
    assert deployment.run("check", "--show-sql")[0] in {0, 1}

    hostile.run(VALUES[0], "DELETE FROM {schema}.{table} WHERE {key} = {value}")
    hostile.run(VALUES[1], "UPDATE {schema}.{table} SET {gone} = true, {stamp} = now() WHERE {key} = {value}")
    hostile.run(VALUES[2], "UPDATE {schema}.{authors} SET {title} = 'other', {stamp} = now() WHERE {key} = {value}")
    hostile.run(VALUES[3], "DELETE FROM {schema}.{tagged} WHERE {key} = {value}")
    hostile.succeeds("run", "--once")
    del expected[VALUES[0]], expected[VALUES[1]]
    expected[VALUES[2]][f"one{END}"] = {TITLE: "other"}
    expected[VALUES[3]] |= {f"many{END}": [], f"count{END}": 0}
    assert hostile.documents() == expected
    assert "equal" in hostile.succeeds("verify", "articles", "--deep")

    client.delete(index=alias, id=VALUES[2])
    client.index(index=alias, id=VALUES[0], document={TITLE: "left over"})
    hostile.succeeds("verify", "articles", "--repair", "--force")
    assert hostile.documents() == expected

    client.delete(index=alias, id=VALUES[3])
    hostile.succeeds("backfill", "articles")
    client.delete(index=alias, id=VALUES[4])
    hostile.succeeds("resync", "articles", "--ids", VALUES[4])
    hostile.succeeds("resync", "articles", "--where", f"{quoted(TITLE)} = '{VALUES[0].replace(chr(39), chr(39) * 2)}'")
    assert hostile.documents() == expected

    hostile.succeeds("rebuild", "articles")
    hostile.succeeds("status")
    hostile.succeeds("indices")
    assert hostile.documents() == expected
    hostile.succeeds("remove-triggers", "articles")
    hostile.prove_untouched()


def test_a_row_with_such_a_key_is_a_dead_letter_like_any_other(hostile: Hostile) -> None:
    """It is listed, shown, delivered again and forgotten by its key."""
    deployment = hostile.deployment
    hostile.succeeds("migrate")
    hostile.run("", "ALTER TABLE {schema}.{table} ADD amount text")
    for value in VALUES[:2]:
        hostile.run(value, "UPDATE {schema}.{table} SET amount = {value} WHERE {key} = {value}")
    deployment.configure(
        table=f"{quoted(SCHEMA)}.{quoted(TABLE)}", watermark=STAMP, fields={"amount": "integer", TITLE: "text"}
    )
    assert deployment.run("run", "--once")[0] == 1
    _, listed = deployment.json("dead-letters", "list", "articles")
    assert listed["dead_letters"] == 2
    assert deployment.run("dead-letters", "show", "articles", VALUES[0])[0] == 0
    hostile.run(VALUES[0], "UPDATE {schema}.{table} SET amount = '5' WHERE {key} = {value}")
    hostile.succeeds("dead-letters", "replay", "articles", VALUES[0])
    hostile.succeeds("dead-letters", "discard", "articles", VALUES[1])
    assert deployment.json("dead-letters", "list", "articles")[1]["dead_letters"] == 0
    hostile.prove_untouched()
