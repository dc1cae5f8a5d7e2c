"""A query or a view in place of a table, from the command line to the index, on real servers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.deployment import Deployment
from tests.app.test_related_changes import TABLES, indexed

MORE = """
CREATE TABLE prices (article_id bigint, price numeric);
INSERT INTO prices VALUES (1, 5), (2, 7), (NULL, 9);
ALTER TABLE prices ADD id serial PRIMARY KEY;
"""
#: With a colon, a percent sign, quotes, a space at the end of a line and a comment.
QUERY = """
SELECT a.id, a.title::text AS "the title", w.name AS author, ':x 100%\x20\n' AS note,
       (SELECT sum(p.price) FROM prices AS p WHERE p.article_id = a.id) AS price,
       array(SELECT t.name FROM article_tags AS l JOIN tags AS t ON t.id = l.tag_id
              WHERE l.article_id = a.id ORDER BY t.name) AS tags
  FROM articles AS a JOIN authors AS w ON w.id = a.author_id -- without author, no document
;
"""
FEEDS: dict[str, Any] = {
    "articles": {
        "relations": {
            "author": {"table": "authors", "on": {"author_id": "id"}},
            "tags": {"table": "tags", "through": [{"table": "article_tags", "on": {"id": "article_id"}}],
                     "on": {"tag_id": "id"}},
        },
    },
    "money": {"table": "prices", "key": "article_id"},
}  # fmt: skip


def deployed(deployment: Deployment, **root: Any) -> Deployment:
    deployment.configure(**{"table": None, **root}, key="id", feeds=FEEDS, where="author <> 'Nobody'")
    for command in (["migrate"], ["install-triggers", "articles"], ["run", "--once"]):
        code, _, err = deployment.run(*command)
        assert code == 0, err
    return deployment


@pytest.fixture(name="queried")
def _queried(deployment: Deployment) -> Deployment:
    deployment.sql(TABLES + MORE)
    return deployed(deployment, query=QUERY)


@pytest.fixture(name="either", params=["query", "view"])
def _either(deployment: Deployment, request: pytest.FixtureRequest) -> Deployment:
    """The same documents, from a query of the configuration, and from a view."""
    deployment.sql(TABLES + MORE + f"CREATE VIEW looks AS {QUERY}")
    return deployed(deployment, **({"query": QUERY} if request.param == "query" else {"table": "looks"}))


def a_document(id_: int, title: str, author: str, price: float | None, tags: list[str]) -> dict[str, Any]:
    return {"id": id_, "the title": title, "author": author, "note": ":x 100% \n", "price": price, "tags": tags}


def test_documents_follow_every_table_of_a_query(either: Deployment) -> None:
    """An update, an insert and a delete, by watermarks and by what triggers note: a row that the query no longer gives,
    because one that is joined to it is gone, has no document any more."""
    one, two = a_document(1, "one", "Ada", 5, ["blue", "red"]), a_document(2, "two", "Ada", 7, ["blue"])
    assert indexed(either) == {"1": one, "2": two}
    either.sql(
        """
        INSERT INTO authors VALUES (2, 'Bea');
        UPDATE articles SET author_id = 2 WHERE id IN (2, 3);
        UPDATE prices SET article_id = 3 WHERE article_id = 2;
        INSERT INTO prices VALUES (1, 2), (NULL, 4);
        UPDATE tags SET name = 'azure' WHERE id = 2;
        """
    )
    assert either.run("run", "--once")[0] == 0
    one, two = a_document(1, "one", "Ada", 7, ["azure", "red"]), a_document(2, "two", "Bea", None, ["azure"])
    assert indexed(either) == {"1": one, "2": two, "3": a_document(3, "three", "Bea", 7, [])}
    _, verified = either.json("verify", "articles")
    assert (verified["complete"], verified["missing"], verified["stale"], verified["extra"]) == (True, 0, 0, 0)
    either.sql("DELETE FROM authors WHERE id = 2; UPDATE authors SET name = 'Ada L.', updated_at = now()")
    assert either.run("run", "--once")[0] == 0
    assert indexed(either) == {"1": one | {"author": "Ada L."}}
    either.sql("UPDATE authors SET name = 'Nobody', updated_at = now()")
    assert either.run("run", "--once")[0] == 0
    assert indexed(either) == {}


def test_a_feed_may_be_the_table_of_another_pipeline(queried: Deployment) -> None:
    """One set of triggers notes it for both, by the key of each."""
    queried.sql("ALTER TABLE prices ADD updated_at timestamptz DEFAULT now(); DELETE FROM prices WHERE price = 9")
    index = {"alias": f"{queried.prefix}-articles", "replicas": 0}
    other = {"table": "prices", "index": {"alias": f"{queried.prefix}-prices", "replicas": 0}}
    queried.configure(
        pipelines={
            "articles": {"query": QUERY, "key": "id", "feeds": FEEDS, "where": "author <> 'Nobody'", "index": index},
            "prices": other,
        }
    )
    for name in ("articles", "prices"):
        assert queried.run("install-triggers", name)[0] == 0
    assert queried.run("run", "--once")[0] == 0
    queried.sql("UPDATE prices SET id = 11 WHERE article_id = 2; DELETE FROM prices WHERE article_id = 1")
    assert queried.run("run", "--once")[0] == 0
    assert {id_: found["price"] for id_, found in indexed(queried).items()} == {"1": None, "2": 7}
    assert list(indexed(queried, "prices")) == ["11"]
    _, document = queried.json("check")
    assert not [each for each in document["findings"] if "triggers" in each["what"] and each["severity"] != "info"]


def test_an_index_is_compared_with_a_query_that_has_another_feed_since(deployment: Deployment) -> None:
    """What changed in its table before, nobody has told."""
    deployment.sql(TABLES + MORE)
    for feeds, price in (({"articles": FEEDS["articles"]}, 5), (FEEDS, 6)):
        deployment.configure(table=None, query=QUERY, key="id", feeds=feeds)
        for command in (["migrate"], ["run", "--once"]):
            code, _, err = deployment.run(*command)
            assert code == 0, err
        assert indexed(deployment)["1"]["price"] == price
        deployment.sql("UPDATE prices SET price = 6 WHERE article_id = 1")


def test_commands_work_on_a_query(queried: Deployment) -> None:
    """Rows are named by a condition over its columns; it has no watermark to name them by."""
    queried.sql("DROP TRIGGER tombstone_delete_syncer ON authors; DELETE FROM authors")
    assert queried.run("resync", "articles", "--where", "price > 5 AND \"the title\" LIKE '%:%'")[0] == 0
    assert queried.run("resync", "articles", "--ids", "2")[0] == 0
    assert list(indexed(queried)) == ["1"]
    code, _, err = queried.run("resync", "articles", "--since", "2026-01-01")
    assert (code, "has no watermark" in err) == (2, True)
    code, _, err = queried.run("backfill", "articles")
    assert code == 0, err
    _, status = queried.json("status")
    assert (status["pipelines"][0]["unreachable"], status["pipelines"][0]["problems"]) == (None, [])


def test_another_query_asks_for_a_rebuild(queried: Deployment) -> None:
    """What differs is told."""
    queried.configure(table=None, query=QUERY.partition(" FROM articles")[0] + " FROM articles AS a, authors AS w",
                      key="id", feeds=FEEDS, where="author <> 'Nobody'")  # fmt: skip
    code, _, err = queried.run("run", "--once")
    assert code != 0
    assert "hydration" in err


def findings(deployment: Deployment) -> dict[str, list[str]]:
    _, document = deployment.json("check")
    told: dict[str, list[str]] = {}
    for finding in document["findings"]:
        told.setdefault(finding["setting"].removeprefix("pipelines.articles."), []).append(
            f"{finding['severity']}: {finding['what']}"
        )
    return told


def test_check_looks_at_the_feeds(either: Deployment) -> None:
    """How each table is followed, and by which indices; many rows of a feed may have one key, or none."""
    told = findings(either)
    assert told["key"][0].startswith("info: id: that no two rows of ")
    assert told["feeds.articles"] == ["info: public.articles, key id, watermark updated_at"]
    assert told["feeds.money"] == ["info: public.prices, key article_id, no watermark: triggers tell of its changes"]
    assert told["feeds.articles.relations.author.on"] == ["warning: no index of public.articles begins with author_id"]
    assert not [what for whats in told.values() for what in whats if what.startswith("error")]
    either.sql("CREATE INDEX ON articles (author_id); DROP INDEX articles_updated_at_id_idx")
    assert either.run("remove-triggers", "articles")[0] == 0
    told = findings(either)
    assert "feeds.articles.relations.author.on" not in told
    assert told["feeds.articles.watermark"] == ["warning: no index begins with updated_at, id"]
    assert [what for what in told["feeds"] if "public.articles" in what or "public.prices" in what] == [
        "warning: no triggers note what is deleted from public.articles",
        "warning: nothing tells what changes in public.prices: it has neither a watermark nor triggers",
    ]
    _, document = either.json("check", "--show-sql")
    assert "changes of public.articles" in document["statements"]["articles"]


def test_a_materialized_view_changes_when_it_is_refreshed(deployment: Deployment) -> None:
    """Which nothing tells, but check that nothing does, unless a schedule repairs: a backfill delivers what a refresh
    has added."""
    deployment.sql(
        "CREATE MATERIALIZED VIEW stored AS SELECT id, title FROM articles; INSERT INTO articles VALUES (1, 'a')"
    )
    deployment.configure(table="stored", key="id", feeds={"articles": {}})
    for command in (["migrate"], ["run", "--once"]):
        assert deployment.run(*command)[0] == 0
    assert indexed(deployment) == {}
    [told] = findings(deployment)["table"]
    assert told.startswith("warning: public.stored is a materialized view, and changes when it is refreshed")
    deployment.sql("REFRESH MATERIALIZED VIEW stored")
    assert deployment.run("backfill", "articles")[0] == 0
    assert indexed(deployment) == {"1": {"id": 1, "title": "a"}}
    deployment.configure(
        table="stored", key="id", feeds={"articles": {}}, schedule={"verify": "0 5 * * *", "repair": True}
    )
    [told] = findings(deployment)["table"]
    assert told.startswith("info: ")


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_a_view_that_tells_the_time_is_told(deployment: Deployment, kind: str) -> None:
    """A materialized one tells that of its refresh."""
    deployment.sql(f"CREATE {kind} looks AS SELECT id, 'now()' AS title, now() - updated_at AS age FROM articles")
    deployment.configure(table="looks", key="id", feeds={"articles": {}})
    told = [what for what in findings(deployment).get("table", []) if "tells the time by now()" in what]
    assert len(told) == (kind == "VIEW")
