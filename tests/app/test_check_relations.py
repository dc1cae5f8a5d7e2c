"""What `syncer check` says of related tables, on real servers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.deployment import Deployment

TABLES = """
CREATE TABLE authors (id integer PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON authors (updated_at, id);
CREATE TRIGGER touch BEFORE UPDATE ON authors FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE comments (id integer PRIMARY KEY, article_id bigint, body text);
CREATE INDEX ON comments (article_id);
ALTER TABLE articles ADD author_id integer;
CREATE INDEX ON articles (author_id);
"""
RELATIONS: dict[str, Any] = {
    "author": {"table": "authors", "on": {"author_id": "id"}, "where": "id > 0"},
    "comments": {"table": "comments", "on": {"id": "article_id"}, "many": True},
}


@pytest.fixture(name="related")
def _related(deployment: Deployment) -> Deployment:
    deployment.sql(TABLES)
    deployment.configure(relations=RELATIONS)
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("install-triggers", "articles")[0] == 0
    return deployment


def found(deployment: Deployment) -> list[tuple[str, str, str, str]]:
    """Return what asks for something: severity, setting, what, SQL."""
    _, document = deployment.json("check")
    findings = [
        tuple(finding[name] for name in ("severity", "setting", "what", "sql")) for finding in document["findings"]
    ]
    return [finding for finding in findings if finding[0] != "info"]


def test_sound_relations_have_no_trouble(related: Deployment) -> None:
    """It is told how the changes of each table are noticed."""
    assert found(related) == []
    _, document = related.json("check")
    told = {finding["setting"]: finding["what"] for finding in document["findings"]}
    assert told["pipelines.articles.relations.author"] == "public.authors, key id, watermark updated_at"
    assert told["pipelines.articles.relations.comments"] == (
        "public.comments, key id, no watermark: triggers tell of its changes"
    )


def test_what_a_routing_by_related_rows_costs_is_told(related: Deployment) -> None:
    """It needs no more triggers than the relation."""
    related.configure(relations=RELATIONS, routing="author.name", index={"shards": 3, "replicas": 0})
    assert found(related) == []
    _, document = related.json("check")
    [told] = [each["what"] for each in document["findings"] if each["setting"] == "pipelines.articles.routing"]
    assert told.endswith("removed from all other shards, of 3 in all; that needs no triggers")


def test_what_relates_rows_needs_indices(related: Deployment) -> None:
    """From a row to those that are in its document, and from these back; a poll needs one too."""
    related.sql("DROP INDEX articles_author_id_idx, comments_article_id_idx, authors_updated_at_id_idx")
    index = "CREATE INDEX CONCURRENTLY ON"
    assert found(related) == [
        (
            "warning",
            "pipelines.articles.relations.author.watermark",
            "no index begins with updated_at, id",
            f'{index} "public"."authors" ("updated_at", "id");',
        ),
        (
            "warning",
            "pipelines.articles.relations.author.on",
            "no index of public.articles begins with author_id",
            f'{index} "public"."articles" ("author_id");',
        ),
        (
            "warning",
            "pipelines.articles.relations.comments.on",
            "no index of public.comments begins with article_id",
            f'{index} "public"."comments" ("article_id");',
        ),
    ]


def test_a_related_table_that_must_not_be_read(related: Deployment) -> None:
    """The right to read comes before the condition, which cannot be looked at without."""
    role = f"reader_{related.prefix}".replace("-", "_")
    related.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT ON articles, comments TO {role}")
    try:
        related.configure(
            relations=RELATIONS, source={"url": related.url_of(role, "x")}, state={"url": related.postgres_url}
        )
        errors = [(setting, what) for severity, setting, what, _ in found(related) if severity == "error"]
        assert ("pipelines.articles.relations.author.table", f"{role} may not read public.authors") in errors
    finally:
        related.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_the_statements_of_a_pipeline_are_shown(related: Deployment) -> None:
    """With their names, and ready to be explained."""
    _, document = related.json("check", "--show-sql")
    assert list(document["statements"]["articles"]) == [
        "documents of listed keys",
        "changes of public.articles",
        "changes of public.authors by public.authors.id = public.articles.author_id",
        "documents of a row of public.authors by public.authors.id = public.articles.author_id",
        "documents of a row of public.comments by public.comments.article_id = public.articles.id",
    ]
    _, out, _ = related.run("check", "--show-sql")
    for what, sql in document["statements"]["articles"].items():
        assert f"-- articles: {what}\n{sql};" in out
