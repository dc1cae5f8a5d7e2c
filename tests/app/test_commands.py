"""The commands that deliver and search, on real servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.app.deployment import Deployment

FIELDS = {"title": "text", "price": "integer"}
COUNTS = {"read", "applied", "unchanged", "stale", "rejected", "embedded", "cached", "truncated", "seconds"}


@pytest.fixture
def articles(deployment: Deployment) -> Deployment:
    """Three rows, and a state schema."""
    deployment.configure(fields=FIELDS)
    deployment.sql("INSERT INTO articles VALUES (1, 'red apple', '3'), (2, 'green pear', '4'), (3, 'red cherry', '5')")
    assert deployment.run("migrate")[0] == 0
    return deployment


@pytest.fixture
def loaded(articles: Deployment) -> Deployment:
    """An index that is loaded."""
    assert articles.run("run", "--once")[0] == 0
    return articles


def found(deployment: Deployment, text: str, *options: str) -> list[str]:
    code, document = deployment.json("search", "articles", text, *options)
    assert code == 0
    return [hit["id"] for hit in document["hits"]]


def refresh(deployment: Deployment) -> None:
    deployment.elastic.client.indices.refresh(index=f"{deployment.prefix}*")


def test_run_once_loads_then_catches_up_and_reports(articles: Deployment) -> None:
    """One object, with the fields that scripts rely on; the logs are elsewhere."""
    code, document = articles.json("run", "--once")
    assert code == 0
    assert set(document) == COUNTS | {"pipeline"}
    assert (document["pipeline"], document["rejected"]) == ("articles", 0)
    # Within the margin rows are read twice.
    assert document["applied"] >= 3
    articles.sql("UPDATE articles SET title = 'blue plum' WHERE id = 2; DELETE FROM articles WHERE id = 9")
    code, document = articles.json("run", "--once", "articles")
    assert code == 0
    assert document["applied"] >= 1
    refresh(articles)
    assert found(articles, "plum") == ["2"]
    assert found(articles, "pear") == []


def test_a_log_line_tells_what_was_done(articles: Deployment) -> None:
    """As JSON, where standard error is no terminal."""
    _, out, err = articles.run("run", "--once")
    assert "articles" in out
    events = {line["event"] for line in map(json.loads, err.splitlines())}
    assert {"attached", "loading", "loaded"} <= events


def test_a_row_that_is_rejected_makes_it_1_until_it_is_mended(loaded: Deployment) -> None:
    """The open dead letter counts, not this run alone."""
    loaded.sql("UPDATE articles SET price = 'cheap' WHERE id = 1")
    code, document = loaded.json("run", "--once")
    assert (code, document["rejected"]) == (1, 1)
    assert loaded.run("run", "--once")[0] == 1
    loaded.sql("UPDATE articles SET price = '2' WHERE id = 1")
    code, _ = loaded.json("run", "--once")
    assert code == 0


def pipelines(deployment: Deployment, **others: dict[str, Any]) -> None:
    known = {"articles": {"table": "articles", "fields": FIELDS, "index": {"alias": f"{deployment.prefix}-articles"}}}
    deployment.configure(pipelines={**known, **others})


def test_several_pipelines_are_reported_together_and_one_that_fails_ends_alone(articles: Deployment) -> None:
    """The exit code is that of the gravest."""
    pipelines(articles, other={"table": "nowhere", "index": {"alias": f"{articles.prefix}-other"}})
    code, document = articles.json("run", "--once")
    assert code == 2
    assert [(one["pipeline"], one["applied"] >= 3) for one in document["pipelines"]] == [
        ("articles", True),
        ("other", False),
    ]
    assert "there is no table nowhere" in document["pipelines"][1]["error"]
    code, out, err = articles.run("run", "--once")
    assert code == 2
    assert "other" not in out
    stopped = [line for line in map(json.loads, err.splitlines()) if line["event"] == "stopped"]
    assert [(line["pipeline"], line["kind"]) for line in stopped] == [("other", "ConfigurationError")]
    code, out, err = articles.run("run", "--once", "other")
    assert (code, out) == (2, "")
    assert err.startswith("syncer: pipelines.other.table: there is no table nowhere")


def test_a_daemon_whose_pipelines_all_end_has_the_gravest_code(articles: Deployment) -> None:
    """There is nothing left to follow."""
    articles.configure(table="nowhere")
    assert articles.run("run")[0] == 2


@pytest.mark.parametrize("command", [["backfill", "articles"], ["resync", "articles", "--ids", "1"]])
def test_what_delivers_beside_the_daemon_needs_a_loaded_index(command: list[str], articles: Deployment) -> None:
    """The message says what loads it."""
    code, _, err = articles.run(*command)
    assert code == 2
    assert "syncer run articles" in err
    assert articles.run("run", "--once")[0] == 0
    assert articles.run(*command)[0] == 0
    articles.configure(fields={"title": "keyword"})
    code, _, err = articles.run(*command)
    assert code == 4
    assert "syncer rebuild articles" in err


def test_backfill_delivers_what_no_poll_meets(loaded: Deployment) -> None:
    """A change that left the watermark alone."""
    loaded.sql("ALTER TABLE articles DISABLE TRIGGER touch; UPDATE articles SET title = 'blue plum' WHERE id = 2")
    code, document = loaded.json("backfill", "articles", "--workers", "2")
    assert code == 0
    assert set(document) == COUNTS | {"pipeline"}
    assert (document["applied"], document["unchanged"]) == (3, 2)
    refresh(loaded)
    assert found(loaded, "plum") == ["2"]


@pytest.mark.parametrize(
    ("option", "value", "read"),
    [
        ("--ids", "1, 3,999", 3),
        ("--where", "title LIKE 'red%'", 2),
        ("--since", "2000-01-01", 3),
        ("--since", "2999-01-01T00:00:00Z", 0),
        ("--ids-file", "FILE", 2),
    ],
)
def test_resync_delivers_the_rows_that_are_named(
    option: str, value: str, read: int, loaded: Deployment, tmp_path: Path
) -> None:
    """And removes the documents of those that are not there."""
    (tmp_path / "ids").write_text("2\r\n\n3\n")
    code, document = loaded.json("resync", "articles", option, value.replace("FILE", str(tmp_path / "ids")))
    assert code == 0
    assert (document["read"], document["applied"]) == (read, read)


def test_resync_removes_a_document_whose_row_is_gone(loaded: Deployment) -> None:
    """Polling alone does not notice a DELETE."""
    loaded.sql("DELETE FROM articles WHERE id = 1")
    assert loaded.run("resync", "articles", "--ids", "1")[0] == 0
    refresh(loaded)
    assert found(loaded, "apple") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give one of --ids, --ids-file, --where, --since"),
        (["--ids", "1", "--where", "true"], "give one of"),
        (["--ids", "one"], "--ids: 'one' cannot be a key"),
        (["--ids-file", "/nowhere"], "--ids-file: cannot read /nowhere"),
        (["--where", "titel = 1"], "--where: "),
        (["--since", "yesterday"], "--since 'yesterday' is not a time"),
    ],
)
def test_resync_refuses_what_names_no_rows(options: list[str], said: str, loaded: Deployment) -> None:
    """With the option, and what to write."""
    code, out, err = loaded.run("resync", "articles", *options)
    assert (code, out) == (2, "")
    assert said in err


def test_search_filters_and_prints(loaded: Deployment) -> None:
    """By keyword where there is no embedding; values of one field are alternatives."""
    assert set(found(loaded, "red")) == {"1", "3"}
    assert found(loaded, "red", "--filter", "price=5") == ["3"]
    assert set(found(loaded, "red", "--filter", "price=5", "--filter", "price=3")) == {"1", "3"}
    assert len(found(loaded, "red", "--size", "1")) == 1
    code, out, _ = loaded.run("search", "articles", "cherry")
    assert code == 0
    assert "title: red cherry" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mode", "hybrid"], "no embedding"),
        (["--filter", "price"], "write field=value"),
        (["--filter", "prize=3"], "there is no field 'prize'"),
    ],
)
def test_search_refuses_what_it_cannot_do(options: list[str], said: str, loaded: Deployment) -> None:
    """A mode or a filter that the index has nothing for."""
    code, out, err = loaded.run("search", "articles", "red", *options)
    assert (code, out) == (2, "")
    assert said in err


def test_rebuild_replaces_an_index_that_the_configuration_has_left_behind(loaded: Deployment) -> None:
    """The alias moves when the new one is loaded; the old one is kept, and named."""
    loaded.configure(fields={**FIELDS, "title": "keyword"})
    code, _, err = loaded.run("run", "--once")
    assert code == 4
    assert "syncer rebuild articles" in err
    client, alias = loaded.elastic.client, f"{loaded.prefix}-articles"
    (old,) = client.indices.get_alias(name=alias).body
    code, document = loaded.json("rebuild", "articles")
    assert code == 0
    assert document["applied"] >= 3
    (new,) = client.indices.get_alias(name=alias).body
    assert new != old
    assert client.indices.exists(index=old)
    assert loaded.json("run", "--once")[0] == 0


def test_migrate_may_be_repeated(articles: Deployment) -> None:
    """And says what it did."""
    code, out, err = articles.run("migrate")
    assert (code, out) == (0, "")
    assert "the state schema is up to date" in err
