"""Changes of related tables, from the command line to the index, on real servers."""

from __future__ import annotations

from typing import Any

from tests.app.deployment import Deployment

TABLES = """
CREATE TABLE authors (id integer PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE tags (id integer PRIMARY KEY, name text);
CREATE TABLE article_tags (article_id bigint, tag_id integer, PRIMARY KEY (article_id, tag_id));
ALTER TABLE articles ADD author_id integer;
INSERT INTO authors VALUES (1, 'Ada');
INSERT INTO tags VALUES (1, 'red'), (2, 'blue');
INSERT INTO articles (id, title, author_id) VALUES (1, 'one', 1), (2, 'two', 1), (3, 'three', NULL);
INSERT INTO article_tags VALUES (1, 1), (1, 2), (2, 2);
"""
RELATIONS: dict[str, Any] = {
    "author": {"table": "authors", "on": {"author_id": "id"}, "columns": "name"},
    "tags": {
        "table": "tags",
        "through": [{"table": "article_tags", "on": {"id": "article_id"}}],
        "on": {"tag_id": "id"},
        "many": True,
        "order_by": "name",
    },
}
FIELDS = {"author": {"relation": "author"}, "tags": {"column": "tags.name", "type": "keyword"}}


def indexed(deployment: Deployment, name: str = "articles") -> dict[str, Any]:
    alias = f"{deployment.prefix}-{name}"
    deployment.elastic.client.indices.refresh(index=alias)
    hits = deployment.elastic.client.search(index=alias, source_excludes=["_syncer"])["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


def test_documents_follow_every_table(deployment: Deployment) -> None:
    """An update by the watermark, and what triggers note: a delete, a row of a join table that moves, and all changes
    of a table without watermark."""
    deployment.sql(TABLES)
    deployment.configure(relations=RELATIONS, fields=FIELDS)
    for command in (["migrate"], ["install-triggers", "articles"], ["run", "--once"]):
        assert deployment.run(*command)[0] == 0
    ada = {"name": "Ada"}
    assert indexed(deployment) == {
        "1": {"author": ada, "tags": ["blue", "red"]},
        "2": {"author": ada, "tags": ["blue"]},
        "3": {"author": None, "tags": []},
    }
    deployment.sql(
        """
        UPDATE authors SET name = 'Ada L.', updated_at = now();
        UPDATE article_tags SET article_id = 3 WHERE article_id = 2;
        DELETE FROM article_tags WHERE tag_id = 1;
        UPDATE tags SET name = 'azure' WHERE id = 2;
        """
    )
    assert deployment.run("run", "--once")[0] == 0
    assert indexed(deployment) == {
        "1": {"author": {"name": "Ada L."}, "tags": ["azure"]},
        "2": {"author": {"name": "Ada L."}, "tags": []},
        "3": {"author": None, "tags": ["azure"]},
    }
    _, verified = deployment.json("verify", "articles")
    assert (verified["complete"], verified["missing"], verified["stale"], verified["extra"]) == (True, 0, 0, 0)


def test_what_happened_before_triggers_noted_it_is_found(deployment: Deployment) -> None:
    """In any table of the documents, though their index was followed all the time."""
    deployment.sql(TABLES)
    deployment.configure(relations=RELATIONS, fields=FIELDS, limits={"delete_ratio": 0.4})
    for command in (["migrate"], ["run", "--once"]):
        assert deployment.run(*command)[0] == 0
    deployment.sql(
        "DELETE FROM articles WHERE id = 3; UPDATE tags SET name = 'azure' WHERE id = 2; DELETE FROM authors"
    )
    expected = {"1": {"author": None, "tags": ["azure", "red"]}, "2": {"author": None, "tags": ["azure"]}}
    assert deployment.run("run", "--once")[0] == 0
    assert indexed(deployment) != expected
    assert deployment.run("install-triggers", "articles")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    assert indexed(deployment) == expected


def test_a_table_that_is_still_to_be_restored_does_not_empty_the_index(deployment: Deployment) -> None:
    """Triggers that are installed ask for a comparison, which deletes within `limits.delete_ratio` alone."""
    deployment.sql("INSERT INTO articles SELECT i, 'one' FROM generate_series(1, 10) AS i")
    deployment.configure()
    for command in (["migrate"], ["run", "--once"]):
        assert deployment.run(*command)[0] == 0
    deployment.sql("DELETE FROM articles WHERE id > 2")
    assert deployment.run("install-triggers", "articles")[0] == 0
    code, _, err = deployment.run("run", "--once")
    assert (code, "nothing deleted" in err, len(indexed(deployment))) == (1, True, 10)
    [status] = deployment.json("status")[1]["pipelines"]
    assert (status["verify_needed"], status["truncated_at"]) == (True, None)
    assert status["verify_reason"].startswith("8 of 10 documents have no row any more")
    assert status["verify_reason"].endswith(": syncer verify articles --repair --force")
