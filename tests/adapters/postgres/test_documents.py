"""Hydration: what a row is now, and what befalls one that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.documents import PostgresDocuments, field_values, hydration_statement
from syncer.adapters.postgres.session import Session
from syncer.core.change import Draft
from syncer.core.declaration import Declared, resolve_fields
from syncer.core.error import AccessDenied, ConfigurationError, SchemaMismatch
from syncer.core.field import Field, VectorField
from syncer.core.table import Table
from tests.adapters.postgres.conftest import OpenSession, ReadTable

Connection = psycopg.Connection[Any]
Hydrate = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture(autouse=True)
def _item(admin: Connection) -> None:
    admin.execute(
        """
        CREATE TABLE item (
            id integer PRIMARY KEY, title text, price numeric, deleted_at timestamptz, deleted boolean,
            updated_at timestamptz DEFAULT '2026-05-04 12:00:00.123456Z'
        );
        INSERT INTO item VALUES (1, 'one', 1.50), (2, 'two', 2), (3, NULL, 0)
        """
    )


def parts(table: Table, *names: str, template: str | None = None) -> tuple[Sequence[Field], Sequence[VectorField]]:
    """The fields of some of the table's columns, or of all, and their vectors."""
    declared = {name: Declared() for name in names} or None
    vectors = [VectorField("vector", template, 3)] if template is not None else []
    return resolve_fields(table, declared, setting="fields"), vectors


def documents(session: Session, table: Table, *names: str, template: str | None = None) -> PostgresDocuments:
    return PostgresDocuments(session, table, *parts(table, *names, template=template))


def statement(table: Table, *names: str, template: str | None = None) -> str:
    return hydration_statement(table, *parts(table, *names, template=template))


def bodies(drafts: Sequence[Draft]) -> dict[str, Any]:
    return {"|".join(draft.key): json.loads(draft.body) for draft in drafts}


ALL = [("1",), ("2",), ("3",), ("4",)]


def test_documents(session: Session, read: ReadTable) -> None:
    """Each row there is becomes one JSON object on one line; a key that is not there is absent."""
    hydration = documents(session, read()).hydrate(ALL)
    assert {draft.key: draft.body for draft in hydration.drafts}["1",] == (
        '{"id":1,"title":"one","price":1.50,"deleted_at":null,"deleted":null,'
        '"updated_at":"2026-05-04T12:00:00.123456+00:00"}'
    )
    assert set(bodies(hydration.drafts)) == {"1", "2", "3"}
    assert hydration.unreadable == {}
    assert documents(session, read()).hydrate([]).drafts == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"soft_delete": "deleted_at"}, {"2", "3"}),
        ({"soft_delete": "deleted"}, {"1", "3"}),
        ({"where": "title IS NOT NULL"}, {"1", "2"}),
        ({"where": "item.price > 1 -- dear"}, {"1", "2"}),
        ({"where": "title LIKE 'o%' AND title <> ':x'"}, {"1"}),
        ({"where": "title <> 'one'"}, {"2"}),
        ({"where": "id > 1 OR true", "soft_delete": "deleted_at"}, {"2", "3"}),
    ],
)
def test_rows_without_document(
    settings: dict[str, Any], expected: set[str], admin: Connection, session: Session, read: ReadTable
) -> None:
    """A row that is soft-deleted, or for which the condition is not true, is absent."""
    admin.execute("UPDATE item SET deleted_at = now() WHERE id = 1; UPDATE item SET deleted = id = 2 WHERE id < 3")
    assert set(bodies(documents(session, read(**settings), "title").hydrate(ALL).drafts)) == expected


def test_routing(admin: Connection, session: Session, read: ReadTable) -> None:
    """A document comes with the text of its routing, and a row without document says where its document was."""
    admin.execute(
        "UPDATE item SET deleted = true WHERE id > 1;"
        "INSERT INTO item (id, title, price) VALUES (4, 'four', NULL), (5, 'other', 2.50)"
    )
    settings = {"soft_delete": "deleted", "where": "title <> 'other'"}
    routed = documents(session, read(routing="price", **settings), "title", template="{title}")
    hydration = routed.hydrate([*ALL, ("5",), ("6",)])
    assert {draft.key[0]: draft.routing for draft in hydration.drafts} == {"1": "1.50", "4": ""}
    assert hydration.drafts[0].texts == {"vector": "one"}
    assert hydration.routings == {("2",): "2", ("3",): "0", ("5",): "2.50"}
    unrouted = documents(session, read(**settings), "id").hydrate(ALL)
    assert [draft.routing for draft in unrouted.drafts] == [None, None]
    assert unrouted.routings == {}


def test_odd_names(admin: Connection, session: Session, read: ReadTable) -> None:
    """Columns and fields may be called like anything in the statement, or have anything in their names."""
    admin.execute(
        """
        CREATE TABLE "rows" (key_1 text, "body" text, document text, "a%b:c" json, "x"";--" date[], element inet[],
            updated_at timestamptz, PRIMARY KEY ("body", key_1));
        INSERT INTO "rows" VALUES ('k', 'b', 'd', E'{"a":\\n1}', '{2024-01-01,infinity}', '{10.0.0.1/8}')
        """
    )
    (draft,) = documents(session, read("rows", where='"rows".body = $$b$$')).hydrate([("b", "k")]).drafts
    assert draft.key == ("b", "k")
    assert json.loads(draft.body) == {
        "key_1": "k",
        "body": "b",
        "document": "d",
        "a%b:c": {"a": 1},
        'x";--': ["2024-01-01", None],
        "element": ["10.0.0.1"],
        "updated_at": None,
    }


def test_composite_key(admin: Connection, session: Session, read: ReadTable) -> None:
    """The parts of a composite key are matched together, not each with any other."""
    admin.execute("CREATE TABLE part (a integer, b text, updated_at timestamptz, PRIMARY KEY (a, b))")
    admin.execute("INSERT INTO part VALUES (1, 'x'), (1, 'y|'), (2, 'x'), (2, '\\\\')")
    found = documents(session, read("part", where="b <> 'z'"), "a").hydrate([("1", "y|"), ("2", "x"), ("3", "x")])
    assert {draft.key for draft in found.drafts} == {("1", "y|"), ("2", "x")}


def test_key_in_another_spelling(admin: Connection, session: Session, read: ReadTable) -> None:
    """A key that equals a row's in another spelling has no document of its own."""
    admin.execute("CREATE TABLE price (amount numeric PRIMARY KEY, updated_at timestamptz)")
    admin.execute("INSERT INTO price VALUES (1.50)")
    hydration = documents(session, read("price"))
    assert [draft.key for draft in hydration.hydrate([("1.5",), ("1.50",)]).drafts] == [("1.50",)]
    assert hydration.hydrate([("1.5",)]).drafts == []


def test_line_breaks_in_json_become_blanks(admin: Connection, session: Session, read: ReadTable) -> None:
    """† Line breaks between the parts of a JSON value become blanks, and those in its strings stay."""
    admin.execute("CREATE TABLE note (id integer PRIMARY KEY, j json, js json[], updated_at timestamptz)")
    admin.execute(r"""INSERT INTO note VALUES (1, E'{\r\n"a": "x\\ny"}', ARRAY[E'[\n1]']::json[])""")
    (draft,) = documents(session, read("note")).hydrate([("1",)]).drafts
    assert not {"\n", "\r"} & set(draft.body)
    assert json.loads(draft.body)["j"] == {"a": "x\ny"}


def test_texts(admin: Connection, session: Session, read: ReadTable) -> None:
    """The text to embed is made of fields by a template, to the character; what is NULL is empty in it."""
    admin.execute("ALTER TABLE item ADD tags text[]")
    admin.execute(r"UPDATE item SET title = 'it''s \ {one}', tags = '{a,b}' WHERE id = 1")
    template = "{{{title}}}\n\n100% 'of' \\ {price} :x {tags} %s"
    drafts = documents(session, read(), "title", "price", "tags", template=template).hydrate([("1",), ("3",)]).drafts
    texts = {draft.key[0]: draft.texts["vector"] for draft in drafts}
    assert texts == {
        "1": "{it's \\ {one}}\n\n100% 'of' \\ 1.50 :x a, b %s",
        "3": "{}\n\n100% 'of' \\ 0 :x  %s",
    }


@pytest.mark.parametrize(("template", "reason"), [("{titel}", "there is no field titel"), ("{title", "expected '}'")])
def test_wrong_template(template: str, reason: str, session: Session, read: ReadTable) -> None:
    """A template that names no field, or is none, is the user's mistake."""
    with pytest.raises(ConfigurationError, match=f"embedding.text: .*{reason}"):
        documents(session, read(), "title", template=template)


def test_statement(read: ReadTable) -> None:
    """The statement can be read, and changes with the settings that a document is made by."""
    shown = statement(read(where="price > 1"), "title", template="{title}")
    assert "(price > 1\n)" in shown
    assert '"title" AS "title"' in shown
    assert ":key_1::integer[]" in shown
    assert shown == statement(read(where="price > 1"), "title", template="{title}")
    others = [
        statement(read(where="price > 1", routing="price"), "title", template="{title}"),
        statement(read(where="price > 2"), "title", template="{title}"),
        statement(read(where="price > 1"), "title", template="{title}."),
        statement(read(where="price > 1"), "title", "price", template="{title}"),
    ]
    assert len({shown, *others}) == 5


def test_values(admin: Connection, read: ReadTable) -> None:
    """What a field is made of can be read too, as it stands in the statement."""
    admin.execute("ALTER TABLE item ADD at timestamp, ADD codes char(3)[]")
    table = read()
    values = field_values(table, resolve_fields(table, None, setting="fields"))
    assert values["title"] == '"title"'
    assert values["at"] == 'CASE WHEN isfinite("at") THEN "at" END'
    assert all(f'{value} AS "{name}"' in statement(table) for name, value in values.items())


MANY_TYPES = """
CREATE TABLE many (
    id integer PRIMARY KEY, at timestamptz, local timestamp, day date, during interval, bytes bytea, f4 real, f8 float8,
    cost money, flag boolean, number numeric, words text[], data jsonb, period tstzrange, updated_at timestamptz
);
INSERT INTO many VALUES (
    1, '2024-05-06 07:08:09.1Z', '2024-05-06 07:08:09.1', '2024-05-06', '1 year 2 days', '\\xdead', 0.1,
    0.1 + 0.2::float8, 1234.5, true, 1.50, '{a,"b c"}', '{"b": 1, "a": [1.0, "日"]}', '[2024-05-06 07:08Z,)',
    '2024-05-06 07:08Z'
)
"""


def test_the_hash_is_the_same_for_every_role_and_version(
    admin: Connection, role: str, session: Session, open_session: OpenSession, read: ReadTable
) -> None:
    """† Document and hash are the same for every role, whatever its defaults, and on every version of Postgres."""
    admin.execute(MANY_TYPES)
    admin.execute(f'GRANT SELECT ON many TO "{role}"')
    for setting, value in {
        "TimeZone": "America/St_Johns",
        "DateStyle": "German",
        "IntervalStyle": "sql_standard",
        "bytea_output": "escape",
        "extra_float_digits": "-5",
        "lc_monetary": "C.UTF-8",
        "client_encoding": "LATIN1",
        "standard_conforming_strings": "off",
        "default_transaction_isolation": "serializable",
    }.items():
        admin.execute(f"ALTER ROLE \"{role}\" SET {setting} = '{value}'")
    table = read("many")
    template = "\\ {at} {during} {bytes} {f8} {cost} it's"
    (mine,) = documents(session, table, template=template).hydrate([("1",)]).drafts
    (theirs,) = documents(open_session(role), table, template=template).hydrate([("1",)]).drafts
    assert theirs == mine
    assert mine.texts == {"vector": "\\ 2024-05-06 07:08:09.1+00 P1Y2D \\xdead 0.30000000000000004 $1,234.50 it's"}
    assert mine.hash == EXPECTED_HASH


#: Measured on 15, 16 and 18.
EXPECTED_HASH = -3075056100945564740


def test_hash_follows_the_document(admin: Connection, session: Session, read: ReadTable) -> None:
    """A change of the document changes the hash; a change of what is not in it does not."""
    hydration = documents(session, read(), "title")

    def hash_() -> int:
        (draft,) = hydration.hydrate([("1",)]).drafts
        return draft.hash

    first = hash_()
    admin.execute("UPDATE item SET price = 7 WHERE id = 1")
    assert hash_() == first
    admin.execute("UPDATE item SET title = 'other' WHERE id = 1")
    assert hash_() != first


def test_unreadable_row(admin: Connection, session: Session, read: ReadTable) -> None:
    """A row that makes the statement fail is unreadable, with Postgres's reason; all others are read."""
    admin.execute("INSERT INTO item SELECT i, 'x', 1 FROM generate_series(10, 500) AS i")
    admin.execute("UPDATE item SET price = 0 WHERE id IN (77, 300)")
    keys = [(str(i),) for i in range(10, 501)]
    hydration = documents(session, read(where="1 / price > 0"), "id").hydrate(keys)
    assert hydration.unreadable == {("77",): "division by zero", ("300",): "division by zero"}
    assert len(hydration.drafts) == 489


def test_bad_row_that_nobody_asked_for(admin: Connection, session: Session, read: ReadTable) -> None:
    """A condition is evaluated on the rows that are asked for, and on no other."""
    body = "BEGIN RETURN 1 / price > 0; END"
    admin.execute(f"CREATE FUNCTION dear(price numeric) RETURNS boolean LANGUAGE plpgsql COST 0.1 AS '{body}'")
    # Postgres reads so small a table as a whole, and begins with the cheapest condition.
    admin.execute("ANALYZE item")
    hydration = documents(session, read(where="dear(price)"), "id").hydrate([("1",)])
    assert set(bodies(hydration.drafts)) == {"1"}


def test_bad_row_that_is_deleted(admin: Connection, session: Session, read: ReadTable) -> None:
    """A condition is not asked of a row that is soft-deleted."""
    admin.execute("UPDATE item SET deleted = true WHERE price = 0")
    hydration = documents(session, read(soft_delete="deleted", where="1 / price > 0"), "id").hydrate(ALL)
    assert set(bodies(hydration.drafts)) == {"1", "2"}
    assert hydration.unreadable == {}


def test_impossible_key(session: Session, read: ReadTable) -> None:
    """A key that is not of the column's type is unreadable, and hides no other."""
    hydration = documents(session, read(), "id").hydrate([("1",), ("x",), ("2",)])
    assert set(bodies(hydration.drafts)) == {"1", "2"}
    assert hydration.unreadable == {("x",): 'invalid input syntax for type integer: "x"'}


def test_errors_that_no_row_causes(admin: Connection, session: Session, read: ReadTable) -> None:
    """A column that is gone is an error, not an absence."""
    hydration = documents(session, read(), "title")
    admin.execute("ALTER TABLE item DROP COLUMN title")
    with pytest.raises(SchemaMismatch, match="title"):
        hydration.hydrate(ALL)


def test_row_level_security_is_an_error_and_not_an_absence(
    admin: Connection, role: str, open_session: OpenSession, read: ReadTable
) -> None:
    """† A policy that would hide rows is an error: hidden rows would be taken for deleted ones."""
    admin.execute(f'GRANT SELECT ON item TO "{role}"')
    hydration = documents(open_session(role), read(), "title")
    assert len(hydration.hydrate(ALL).drafts) == 3
    admin.execute("ALTER TABLE item ENABLE ROW LEVEL SECURITY")
    with pytest.raises(AccessDenied, match="row-level security") as raised:
        hydration.hydrate(ALL)
    assert "BYPASSRLS" in raised.value.hint


def test_missing_privilege(role: str, open_session: OpenSession, read: ReadTable) -> None:
    """A table that this role may not read is an error, not an absence."""
    with pytest.raises(AccessDenied, match="permission denied for table item"):
        documents(open_session(role), read(), "title").hydrate(ALL)


def test_privilege_on_columns(admin: Connection, role: str, open_session: OpenSession, read: ReadTable) -> None:
    """A role needs the columns that the document and the settings name, and no other."""
    admin.execute(f'GRANT SELECT (id, title, deleted) ON item TO "{role}"')
    table = read(soft_delete="deleted", where="title IS NOT NULL")
    assert len(documents(open_session(role), table, "title").hydrate(ALL).drafts) == 2


@pytest.mark.parametrize("key", [("id",), ("title", "id")])
def test_reads_by_the_key(key: tuple[str, ...], admin: Connection, session: Session, read: ReadTable) -> None:
    """A batch is found through the key's index, not by reading the table."""
    admin.execute("INSERT INTO item SELECT i, 't' || i, 1 FROM generate_series(10, 100000) AS i")
    admin.execute("CREATE UNIQUE INDEX ON item (title, id)")
    admin.execute("VACUUM ANALYZE item")
    wanted = {"id": [str(i) for i in range(1000, 2000)], "title": [f"t{i}" for i in range(1000, 2000)]}
    hydration = documents(session, read(key=key, where="price > 0"), "title")
    assert len(hydration.hydrate(list(zip(*(wanted[name] for name in key), strict=True))).drafts) == 1000
    sql = statement(read(key=key, where="price > 0"), "title")
    for i, name in enumerate(key, start=1):
        sql = sql.replace(f":key_{i}::", f"'{{{','.join(wanted[name])}}}'::")
    plan = admin.execute(f"EXPLAIN (COSTS OFF) {sql}").fetchall()
    assert any("Index Scan using" in line or "Bitmap Index Scan" in line for (line,) in plan)
    assert not any("Seq Scan" in line for (line,) in plan)
