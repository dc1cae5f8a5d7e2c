"""What `init` chooses, by the catalogue's description alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import yaml

from syncer.adapters.postgres.survey import Found, Reference, Survey, Texts
from syncer.app.init.document_fields import embedded_text, fields_of
from syncer.app.init.file_text import Search, file_text
from syncer.app.init.proposal import Proposal, obstacles, pipeline_name, propose, ranked, told_apart
from syncer.app.init.watermark import candidates, zone_of
from syncer.core.table import Column

SEARCH = Search("http://localhost:9200", {}, None)


def table(
    called: str = "articles",
    more: Mapping[str, str] | None = None,
    *,
    of: str = "public",
    rows: int = 0,
    **columns: str,
) -> Found:
    """Return a table with the key `id`; columns: their types, with `!` where they are never NULL."""
    types = {"id": "int8!", **columns, **(more or {})}
    return Found(
        of,
        called,
        {
            each: Column(each, kind.strip("![]"), kind.strip("!"), kind.endswith("[]"), not kind.endswith("!"))
            for each, kind in types.items()
        },
        primary_key=["id"],
        rows=rows,
    )


def changed(of: Found, **changes: object) -> Found:
    return Found(**{**{name: getattr(of, name) for name in Found.__slots__}, **changes})


def database(*tables: Found, references: Sequence[Reference] = ()) -> Survey:
    return Survey("shop", "ann", "UTC", tables, references)


def proposed(of: Found, survey: Survey | None = None, texts: Mapping[str, Texts] | None = None) -> Proposal:
    return propose(survey or database(of), of, texts or {}, candidates(of)[0], None)


@pytest.mark.parametrize(
    ("columns", "best"),
    [
        ({"created_at": "timestamptz!", "updated_at": "timestamptz"}, "updated_at"),
        ({"created_at": "timestamptz!", "last_update": "timestamp"}, "last_update"),
        ({"updated_at": "timestamp", "modified_on": "timestamptz"}, "modified_on"),
        ({"createdAt": "timestamptz", "updatedAt": "timestamptz"}, "updatedAt"),
        ({"ModifiedDate": "timestamp", "StartDate": "timestamp"}, "ModifiedDate"),
        ({"password_changed_at": "timestamptz!", "mtime": "timestamptz"}, "mtime"),
    ],
)
def test_the_watermark_is_what_updates_set(columns: dict[str, str], best: str) -> None:
    """By its name, with time zone before without."""
    found = candidates(table("articles", columns))
    assert (found[0].column, found[0].likely) == (best, True)
    assert [each.column for each in found if each.likely and each.column in {"created_at", "password_changed_at"}] == []


def test_a_trigger_that_sets_a_column_makes_it_the_watermark() -> None:
    """Whatever it is called; one that only reads it does not."""
    columns = {"stamp": "timestamptz", "created_at": "timestamptz"}
    of = changed(
        table("articles", columns), triggers=["BEGIN NEW.stamp := now(); PERFORM NEW.created_at; RETURN NEW; END "]
    )
    assert [(each.column, each.likely) for each in candidates(of)] == [("stamp", True), ("created_at", False)]
    assert "a trigger sets it" in candidates(of)[0].reasons


def test_what_is_no_time_is_no_watermark() -> None:
    """Nor an array of times."""
    assert candidates(table(updated_at="date", modified_at="timestamptz[]", changed_at="text")) == []


def test_the_zone_is_what_the_column_or_else_the_server_says() -> None:
    """UTC where the server's is none that is known here."""
    of = table(updated_at="timestamp")
    assert zone_of(of, "updated_at", "Europe/Berlin") == "Europe/Berlin"
    assert zone_of(of, "updated_at", "Etc/UTC") == "UTC"
    assert zone_of(of, "updated_at", "localtime") == "UTC"
    assert zone_of(of, "updated_at", "<+03>-03") == "UTC"
    told = changed(of, defaults={"updated_at": "timezone('utc'::text, now())"})
    assert zone_of(told, "updated_at", "Europe/Berlin") == "UTC"


def test_tables_that_can_be_followed_come_first() -> None:
    """Of these the ones with texts, of these the largest."""
    order = ranked(
        database(
            table("events", rows=10**9, at="timestamptz"),
            table("prices", rows=10**6, price="numeric", updated_at="timestamptz"),
            table("notes", rows=10, body="text", updated_at="timestamptz"),
            table("articles", rows=1000, title="text", updated_at="timestamptz"),
        )
    )
    assert [each.name for each in order] == ["articles", "notes", "prices", "events"]


def test_what_a_table_lacks_is_told_with_sql() -> None:
    """Key, watermark and the right to read."""
    bare = changed(table(title="text"), primary_key=(), readable=False)
    grant, key, watermark = obstacles(bare, "ann")
    assert 'GRANT SELECT ON "public"."articles" TO "ann"' in grant.sql
    assert 'ADD PRIMARY KEY ("id")' in key.sql
    assert 'ADD COLUMN "updated_at" timestamptz NOT NULL DEFAULT now()' in watermark.sql
    assert '("updated_at", "id")' in watermark.sql
    keyed = changed(bare, unique=[["title"], ["id"]], readable=True)
    assert [each.what for each in obstacles(keyed, "ann", told=True)] == []
    numbered = changed(table(), columns={"title": Column("title", "text", "text")}, primary_key=())
    assert "GENERATED ALWAYS AS IDENTITY PRIMARY KEY" in obstacles(numbered, "ann", told=True)[0].sql


def test_a_unique_key_may_not_be_null() -> None:
    """The first that serves is taken."""
    of = changed(table(updated_at="timestamptz", code="text", sku="text!"), primary_key=(), unique=[["code"], ["sku"]])
    assert proposed(of).key == ["sku"]


def test_fields_suit_what_columns_hold() -> None:
    """Long texts for words, few different ones for facets; secrets stay out."""
    of = table(
        title="text", body="text", state="text", tags="text[]", price="numeric", data="jsonb", password_hash="text",
        reset_token="text", token_count="int4", found="tsvector", more={"a.b": "text", "_x": "text"},
    )  # fmt: skip
    seen = {"title": Texts(30, 500, 480), "body": Texts(900, 500, 500), "state": Texts(6, 500, 3)}
    fields = {line.name: line for line in fields_of(of, seen, left_out=None)}
    assert fields["title"].setting == {"type": "text", "keyword": True}
    assert [fields[name].setting for name in ("body", "state", "tags", "price", "data")] == [
        "text", "keyword", "keyword", "double", "object",
    ]  # fmt: skip
    assert [name for name, line in fields.items() if not line.kept] == ["password_hash", "reset_token", "found"]
    assert fields.keys() & {"a.b", "_x"} == set()
    assert embedded_text(list(fields.values()), seen) == "{title}\n\n{body}"


def test_relations_follow_foreign_keys_both_ways() -> None:
    """Called by the column, or by the table; none takes the name of a field, and none shows a secret."""
    author = table("authors", name="text", password="text")
    articles = table(author_id="int8", editor_id="int8", comments="int4", updated_at="timestamptz")
    comments = table("comments", article_id="int8")
    references = [
        Reference(articles.place, author.place, ["author_id"], ["id"]),
        Reference(articles.place, author.place, ["editor_id"], ["id"]),
        Reference(comments.place, articles.place, ["article_id"], ["id"]),
    ]
    lines = proposed(articles, database(author, articles, comments, references=references)).relations
    found = {line.name: line.setting for line in lines}
    assert found["author"] == {"table": "public.authors", "on": {"author_id": "id"}, "columns": ["id", "name"]}
    assert "editor" in found
    assert found["comments_by_article_id"] == {
        "table": "public.comments",
        "on": {"id": "article_id"},
        "columns": ["id", "article_id"],
        "many": True,
        "limit": 100,
    }
    assert not any(line.kept for line in lines)


@pytest.mark.parametrize(
    ("column", "kind", "found"),
    [
        ("deleted_at", "timestamptz", True),
        ("is_deleted", "bool", True),
        ("deletedAt", "timestamp", True),
        ("deleted", "text", False),
        ("deleted_by", "timestamptz", False),
        ("archived_at", "timestamptz", False),
    ],
)
def test_a_soft_delete_is_a_time_or_a_boolean(column: str, kind: str, found: bool) -> None:
    """It is no field: rows that it marks have no document."""
    proposal = proposed(table(updated_at="timestamptz", more={column: kind}))
    assert proposal.soft_delete == (column if found else None)
    assert (column in {line.name for line in proposal.fields}) is not found


def test_names_of_pipelines_are_such_that_an_alias_may_have() -> None:
    """And no two are alike."""
    assert pipeline_name(table("Order Items")) == "order-items"
    assert pipeline_name(table("…")) == "documents"
    two = [table("x", of=schema, updated_at="timestamptz") for schema in ("a", "b", "B")]
    assert [each.name for each in told_apart([proposed(of) for of in two])] == ["x", "b-x", "b-x-2"]


def test_the_file_is_the_same_text_in_yaml_whatever_names_hold() -> None:
    """Words of YAML, quotes, line breaks, and what would be interpolated."""
    names = ["on", "no", "null", "1", "a: b", "#c", '"', "line\nbreak", "ünï", "{x}", "'", "\\", "\x1b[0m", "?", "~"]
    of = table("t\n#x: y", {**dict.fromkeys(names, "text"), "${HOME}": "text"}, updated_at="timestamptz")
    settings = yaml.safe_load(file_text("shop\n: x", SEARCH, [proposed(of)]))
    (pipeline,) = settings["pipelines"].values()
    assert [*pipeline["fields"]] == ["id", "updated_at", *names, "${HOME}"]
    assert pipeline["table"] == '"public"."t\n#x: y"'
    key = changed(of, primary_key=(), unique=[["id"]], columns=of.columns)
    assert yaml.safe_load(file_text("", SEARCH, [proposed(key)]))["pipelines"]["t-x-y"]["key"] == ["id"]
    watermark = table(more={"${x}_updated_at": "timestamptz", "updated_at": "date"})
    (pipeline,) = yaml.safe_load(file_text("", SEARCH, [proposed(watermark)]))["pipelines"].values()
    assert pipeline["watermark"] == "$${x}_updated_at"


def test_one_node_takes_no_replica() -> None:
    """Where nobody knows how many there are, the default stays."""
    one = file_text("shop", Search("http://localhost:9200", {}, 1), [proposed(table(updated_at="timestamptz"))])
    assert yaml.safe_load(one)["pipelines"]["articles"]["index"] == {"replicas": 0}
    more = file_text("shop", SEARCH, [proposed(table(updated_at="timestamptz"))])
    assert "index" not in yaml.safe_load(more)["pipelines"]["articles"]
