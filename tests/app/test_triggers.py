"""`install-triggers`, `remove-triggers`, and what check says of triggers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.app.deployment import Deployment

INSTALL = ("install-triggers", "articles")
REMOVE = ("remove-triggers", "articles")


@pytest.fixture
def migrated(deployment: Deployment) -> Deployment:
    assert deployment.run("migrate")[0] == 0
    return deployment


def trouble(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the findings that ask for something."""
    _, document = deployment.json("check")
    return [finding for finding in document["findings"] if finding["severity"] != "info"]


def triggers(deployment: Deployment) -> list[str]:
    with psycopg.connect(deployment.postgres_url) as connection:
        found = connection.execute("SELECT tgname FROM pg_trigger WHERE tgname ~ '^tombstone' ORDER BY tgname")
        return [row[0] for row in found]


def test_install_and_remove(deployment: Deployment) -> None:
    """Each may be repeated, and says what it has done; before the state is migrated too."""
    for _ in range(2):
        code, out, _ = deployment.run(*INSTALL)
        assert (code, out.splitlines()[:-1]) == (0, ["public.articles: what is deleted is noted in syncer.tombstones"])
        assert "compares each index with its tables once" in out
        assert len(triggers(deployment)) == 3
    for _ in range(2):
        code, out, _ = deployment.run(*REMOVE)
        assert (code, out) == (0, "public.articles: nothing is noted any more in syncer.tombstones\n")
        assert triggers(deployment) == []


def test_printed_sql_runs_elsewhere(deployment: Deployment) -> None:
    """It is printed as it is, ready for psql; nothing has run."""
    code, out, _ = deployment.run(*INSTALL, "--print")
    assert code == 0
    assert triggers(deployment) == []
    deployment.sql(out)
    assert len(triggers(deployment)) == 3
    assert deployment.json(*INSTALL, "--print")[1]["sql"] + "\n" == out
    deployment.sql(deployment.run(*REMOVE, "--print")[1])
    assert triggers(deployment) == []


def test_json(deployment: Deployment) -> None:
    """One document, with the SQL that ran."""
    code, document = deployment.json(*INSTALL)
    assert code == 0
    assert (document["pipeline"], document["tables"], document["ran"]) == ("articles", ["public.articles"], True)
    assert "CREATE OR REPLACE TRIGGER" in document["sql"]


RELATED = """
CREATE TABLE authors (id bigint PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE tags (id bigint PRIMARY KEY, name text);
CREATE TABLE article_tags (article_id bigint, tag_id bigint, PRIMARY KEY (article_id, tag_id));
CREATE INDEX ON authors (updated_at, id);
CREATE TRIGGER touch BEFORE UPDATE ON authors FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE articles ADD author_id bigint;
INSERT INTO authors VALUES (1, 'Ada'); INSERT INTO tags VALUES (7, 'red'); INSERT INTO article_tags VALUES (1, 7);
INSERT INTO articles VALUES (1, 'apple')
"""
RELATIONS = {
    "author": {"table": "authors", "on": {"author_id": "id"}},
    "tags": {
        "table": "tags",
        "through": [{"table": "article_tags", "on": {"id": "article_id"}}],
        "on": {"tag_id": "id"},
        "many": True,
    },
}
TABLES = ["public.articles", "public.authors", "public.article_tags", "public.tags"]


@pytest.fixture
def related(migrated: Deployment) -> Deployment:
    """Articles with an author, who has a watermark, and tags, which have none."""
    migrated.sql(RELATED)
    migrated.configure(relations=RELATIONS)
    return migrated


def of_triggers(deployment: Deployment) -> list[str]:
    """Return what is told of triggers that are to be installed."""
    return [finding["what"] for finding in trouble(deployment) if "install-triggers" in finding["remedy"]]


def columns_of(deployment: Deployment) -> dict[str, Any]:
    """Return the columns that were noted last of a row, by table."""
    statement = "SELECT relation, columns FROM syncer.tombstones WHERE key <> '{}' ORDER BY id"
    with psycopg.connect(deployment.postgres_url) as connection:
        return dict(connection.execute(statement).fetchall())


def test_related_tables_are_noted_too(related: Deployment) -> None:
    """With the columns by which documents reach them, and rows beyond; all of it is taken away again."""
    code, out, _ = related.run(*INSTALL)
    assert (code, out.splitlines()[:-1]) == (
        0,
        [f"{name}: what is deleted is noted in syncer.tombstones" for name in TABLES],
    )
    assert of_triggers(related) == []
    related.sql(
        "UPDATE articles SET author_id = 1; UPDATE tags SET name = 'blue'; INSERT INTO article_tags VALUES (2, 7)"
    )
    related.sql("DELETE FROM authors")
    assert columns_of(related) == {
        "public.articles": {"author_id": "1", "id": "1"},
        "public.authors": {"id": "1"},
        "public.article_tags": {"article_id": "2", "tag_id": "7"},
        "public.tags": {"id": "7"},
    }
    assert related.run(*REMOVE)[0] == 0
    assert triggers(related) == []


def test_what_goes_on_without_triggers_on_related_tables_is_told(related: Deployment) -> None:
    """More of those that have no watermark; the SQL of each finding mends it."""
    findings = [finding for finding in trouble(related) if "install-triggers" in finding["remedy"]]
    assert [finding["what"] for finding in findings] == [
        "no triggers note what is deleted from public.articles",
        "no triggers note what is deleted from public.authors, or moved to another row",
        "nothing tells what changes in public.article_tags: it has neither a watermark nor triggers",
        "nothing tells what changes in public.tags: it has neither a watermark nor triggers",
    ]
    for finding in findings:
        related.sql(finding["sql"])
    assert of_triggers(related) == []


def test_another_pipeline_s_relations_are_noted_with_a_table(related: Deployment) -> None:
    """One set of triggers serves all; that there are more since is told. Not while the needs of one are unknown."""
    authors = {"table": "authors", "relations": {"home": {"table": "tags", "on": {"name": "name"}}}}
    index = {"alias": f"{related.prefix}-articles", "replicas": 0}
    articles = {"table": "articles", "relations": RELATIONS, "index": index}
    assert related.run(*INSTALL)[0] == 0
    related.configure(pipelines={"articles": articles, "authors": authors, "amiss": {"table": "nowhere"}})
    _, document = related.json("check", "articles")
    told = [finding["what"] for finding in document["findings"] if "other relations" in finding["what"]]
    assert len(told) == 2
    code, _, err = related.run(*INSTALL)
    assert code == 2
    assert "pipelines.amiss.table: there is no table nowhere" in err
    related.configure(pipelines={"articles": articles, "authors": authors})
    assert related.run(*INSTALL)[0] == 0
    related.sql("DELETE FROM authors; DELETE FROM tags")
    assert columns_of(related) == {
        "public.authors": {"id": "1", "name": "Ada"},
        "public.tags": {"id": "7", "name": "red"},
    }


def test_pipelines_of_one_table_with_different_keys_are_refused(migrated: Deployment) -> None:
    """Each installation would undo the other one; check says it before, and what is there can be removed."""
    one = {"table": "articles", "index": {"alias": f"{migrated.prefix}-articles", "replicas": 0}}
    other = {**one, "index": {"alias": f"{migrated.prefix}-titles", "replicas": 0}, "key": "title"}
    assert migrated.run(*INSTALL)[0] == 0
    migrated.configure(pipelines={"articles": one, "titles": other})
    for name in ("articles", "titles"):
        code, _, err = migrated.run("install-triggers", name)
        assert (code, "several pipelines have the table public.articles, with different keys" in err) == (2, True)
    told = [finding["what"] for finding in trouble(migrated) if "different keys" in finding["what"]]
    assert len(told) == 2
    assert migrated.run(*REMOVE)[0] == 0
    assert triggers(migrated) == []


@pytest.fixture
def reader(migrated: Deployment) -> Iterator[str]:
    """A role that may read the table, and runs the pipeline."""
    name = f"reader_{uuid4().hex[:8]}"
    migrated.sql(
        f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2'; GRANT SELECT ON articles TO {name};"
        f"GRANT pg_read_all_stats TO {name}"
    )
    migrated.configure(source={"url": migrated.url_of(name, "hunter2")}, state={"url": migrated.postgres_url})
    yield name
    migrated.sql(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_who_may_only_read_prints(migrated: Deployment, reader: str) -> None:
    """Running it is refused with whom to ask; what is printed grants all that the pipeline needs."""
    code, _, err = migrated.run(*INSTALL)
    assert code == 4
    assert "permission denied" in err
    assert "let postgres, who owns the table" in err
    assert "syncer install-triggers articles --print" in err
    assert "Traceback" not in err
    migrated.sql(migrated.run(*INSTALL, "--print")[1])
    assert trouble(migrated) == []


def test_an_owner_is_told_the_grant(migrated: Deployment, reader: str) -> None:
    """Which then is enough."""
    migrated.sql(f"ALTER TABLE articles OWNER TO {reader}; ALTER SCHEMA syncer RENAME TO elsewhere")
    code, _, err = migrated.run(*INSTALL)
    assert code == 4
    grant = err.partition("an owner needs besides: ")[2].strip()
    assert grant.startswith("GRANT CREATE ON DATABASE")
    migrated.sql(grant)
    assert migrated.run(*INSTALL)[0] == 0
    assert migrated.run(*REMOVE)[0] == 0
    migrated.sql("ALTER SCHEMA elsewhere RENAME TO syncer")


@pytest.fixture
def owned(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """The default layout: a role runs the pipeline and has made the schema of its state; another owns the table."""
    reader, owner = (f"{name}_{uuid4().hex[:8]}" for name in ("reader", "owner"))
    deployment.sql(
        f"CREATE ROLE {reader} LOGIN PASSWORD 'hunter2'; CREATE ROLE {owner} LOGIN PASSWORD 'hunter2';"
        f"ALTER TABLE articles OWNER TO {owner}; GRANT SELECT ON articles TO {reader};"
        f"GRANT pg_read_all_stats TO {reader}; CREATE SCHEMA syncer AUTHORIZATION {reader}"
    )
    deployment.configure(source={"url": deployment.url_of(reader, "hunter2")})
    assert deployment.run("migrate")[0] == 0
    yield reader, owner
    deployment.sql("DROP SCHEMA syncer CASCADE; REASSIGN OWNED BY " + owner + " TO CURRENT_USER")
    for role in (reader, owner):
        deployment.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_an_owner_is_told_the_grant_on_a_schema_that_is_there(deployment: Deployment, owned: tuple[str, str]) -> None:
    """CREATE on the database would not help; what is asked for does, and the owner may remove it all again."""
    _, owner = owned
    code, _, err = deployment.run(*INSTALL)
    assert code == 4
    grant = err.partition("an owner needs besides: ")[2].strip()
    assert grant == f'GRANT USAGE, CREATE ON SCHEMA "syncer" TO "{owner}";'
    deployment.sql(grant)
    install, remove = (deployment.run(*command, "--print")[1] for command in (INSTALL, REMOVE))
    with psycopg.connect(deployment.url_of(owner, "hunter2"), autocommit=True) as connection:
        connection.execute(install.encode())
        connection.execute("INSERT INTO articles VALUES (1, 'apple'); DELETE FROM articles")
        assert trouble(deployment) == []
        connection.execute(remove.encode())
    assert triggers(deployment) == []


@pytest.mark.parametrize("lost", ["INSERT ON syncer.tombstones", "USAGE ON SCHEMA syncer"])
def test_triggers_that_may_not_write_are_told(lost: str, deployment: Deployment, owned: tuple[str, str]) -> None:
    """Every DELETE fails; the SQL of the finding mends it."""
    _, owner = owned
    deployment.sql(f"GRANT USAGE, CREATE ON SCHEMA syncer TO {owner}")
    script = deployment.run(*INSTALL, "--print")[1]
    with psycopg.connect(deployment.url_of(owner, "hunter2"), autocommit=True) as connection:
        connection.execute(script.encode())
    deployment.sql(f"INSERT INTO articles VALUES (1, 'apple'); REVOKE {lost} FROM {owner}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        deployment.sql("DELETE FROM articles")
    (finding,) = trouble(deployment)
    assert finding["severity"] == "error"
    assert finding["what"].startswith(f"{owner}, to whom the triggers' function belongs, may not write")
    assert finding["consequence"] == "every DELETE and TRUNCATE fails"
    deployment.sql(finding["sql"])
    deployment.sql("DELETE FROM articles")
    assert trouble(deployment) == []


def test_tombstones_that_are_gone_are_told(migrated: Deployment) -> None:
    """As what they are, and not as a privilege that is missing."""
    assert migrated.run(*INSTALL)[0] == 0
    migrated.sql("INSERT INTO articles VALUES (1, 'apple'); DROP TABLE syncer.tombstones")
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrated.sql("DELETE FROM articles")
    (finding,) = trouble(migrated)
    assert (finding["severity"], finding["remedy"]) == ("error", "syncer install-triggers articles")
    assert finding["what"] == "triggers of public.articles note in syncer.tombstones, which is gone"
    migrated.sql(finding["sql"])
    migrated.sql("DELETE FROM articles")
    assert trouble(migrated) == []


def test_missing_triggers_are_told(migrated: Deployment) -> None:
    """With what follows, the command, and its SQL, which mends it; a soft delete does not stand for a hard one."""
    migrated.sql("ALTER TABLE articles ADD deleted_at timestamptz")
    migrated.configure(soft_delete="deleted_at")
    (finding,) = trouble(migrated)
    assert finding["severity"] == "warning"
    assert finding["what"] == "no triggers note what is deleted from public.articles"
    assert "syncer verify" in finding["consequence"]
    assert "deleted_at" in finding["consequence"]
    assert finding["remedy"] == "syncer install-triggers articles"
    migrated.sql(finding["sql"])
    assert trouble(migrated) == []


@pytest.mark.parametrize(
    ("ddl", "said"),
    [
        ("ALTER TABLE articles DISABLE TRIGGER ALL", "triggers are disabled: tombstone_delete_syncer"),
        ("ALTER TABLE articles ENABLE TRIGGER tombstone_update_syncer", "not ENABLE ALWAYS: tombstone_update_syncer"),
        ("DROP TRIGGER tombstone_truncate_syncer ON articles", "triggers are missing: tombstone_truncate_syncer"),
        ("DROP SCHEMA syncer CASCADE", "no triggers note"),
    ],
)
def test_what_is_wrong_with_triggers_is_told_and_installing_them_mends_it(
    ddl: str, said: str, migrated: Deployment
) -> None:
    """Each with its name and its table."""
    assert migrated.run(*INSTALL)[0] == 0
    assert trouble(migrated) == []
    migrated.sql(ddl)
    if "SCHEMA" in ddl:
        assert migrated.run("migrate")[0] == 0
    findings = trouble(migrated)
    assert any(said in finding["what"] for finding in findings)
    assert all(finding["consequence"] and finding["remedy"] for finding in findings)
    assert migrated.run(*INSTALL)[0] == 0
    assert [finding for finding in trouble(migrated) if "touch" not in finding["sql"]] == []


def test_triggers_for_another_key_or_routing_are_told(migrated: Deployment) -> None:
    """What they note would name no document."""
    assert migrated.run(*INSTALL)[0] == 0
    migrated.sql("ALTER TABLE articles ADD UNIQUE (title)")
    for change in ({"key": "title"}, {"routing": "title"}):
        migrated.configure(**change)
        findings = [finding for finding in trouble(migrated) if "another key" in finding["what"]]
        assert len(findings) == 1, change


def test_partitions_of_later_are_told(migrated: Deployment) -> None:
    """TRUNCATE of one would not be noted; a few are named, the rest counted."""
    migrated.sql(
        """
        DROP TABLE articles;
        CREATE TABLE articles (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL) PARTITION BY LIST (id);
        CREATE INDEX ON articles (updated_at, id);
        CREATE TRIGGER touch BEFORE UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION touch();
        CREATE TABLE p0 PARTITION OF articles FOR VALUES IN (0);
        """
    )
    assert migrated.run(*INSTALL)[0] == 0
    assert trouble(migrated) == []
    migrated.sql(";".join(f"CREATE TABLE p{i} PARTITION OF articles FOR VALUES IN ({i})" for i in range(1, 7)))
    (finding,) = trouble(migrated)
    assert "tombstone_truncate_syncer on public.p1; " in finding["what"]
    assert finding["what"].endswith("; and on 3 more")
    migrated.sql(finding["sql"])
    assert trouble(migrated) == []


def test_tombstones_that_cannot_be_read_or_pruned_are_told(migrated: Deployment, reader: str) -> None:
    """The first stops the pipeline, the second lets them pile up."""
    migrated.sql(migrated.run(*INSTALL, "--print")[1])
    migrated.sql(f"REVOKE DELETE ON syncer.tombstones FROM {reader}")
    (finding,) = trouble(migrated)
    assert (finding["severity"], finding["what"]) == ("warning", f"{reader} may not delete from syncer.tombstones")
    migrated.sql(f"REVOKE SELECT ON syncer.tombstones FROM {reader}")
    (finding,) = trouble(migrated)
    assert (finding["severity"], finding["what"]) == ("error", f"{reader} may not read syncer.tombstones")
    migrated.sql(finding["sql"])
    assert trouble(migrated) == []


def wakeups(deployment: Deployment) -> list[str]:
    """The tables that tell of each commit."""
    with psycopg.connect(deployment.postgres_url) as connection:
        found = connection.execute(
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'wakeup_syncer' ORDER BY 1"
        )
        return [row[0] for row in found]


def test_wakeups_are_installed_for_who_asks(migrated: Deployment) -> None:
    """Of all tables that its documents are made of; until then, and for tables that came later, check says what is
    missing. They go again when nobody asks, and with the others."""
    assert migrated.run(*INSTALL)[0] == 0
    assert trouble(migrated) == []
    migrated.configure(poll={"wakeup": "notify"})
    (finding,) = trouble(migrated)
    assert (finding["setting"], finding["what"], finding["remedy"]) == (
        "pipelines.articles.poll.wakeup",
        "no trigger tells of each commit that changes public.articles",
        "syncer install-triggers articles",
    )
    migrated.sql(finding["sql"])
    assert (trouble(migrated), wakeups(migrated)) == ([], ["articles"])
    migrated.sql(RELATED)
    migrated.configure(poll={"wakeup": "notify"}, relations=RELATIONS)
    code, out, _ = migrated.run(*INSTALL)
    assert code == 0
    assert "public.tags: what is deleted is noted in syncer.tombstones, and each commit wakes the daemon\n" in out
    assert wakeups(migrated) == ["article_tags", "articles", "authors", "tags"]
    migrated.configure(relations=RELATIONS)
    assert migrated.run(*INSTALL)[0] == 0
    assert wakeups(migrated) == []
    migrated.configure(poll={"wakeup": "notify"})
    assert migrated.run(*INSTALL)[0] == 0
    assert migrated.run(*REMOVE)[0] == 0
    assert (wakeups(migrated), triggers(migrated)[:1]) == ([], ["tombstone_delete_syncer"])


def test_a_table_wakes_the_one_of_two_pipelines_that_asks(migrated: Deployment) -> None:
    """Whichever of them the triggers are installed for; of the other one nothing is told."""
    alias = {"alias": f"{migrated.prefix}-more", "replicas": 0}
    other = {"table": "articles", "index": alias, "poll": {"wakeup": "notify"}}
    migrated.configure(pipelines={"articles": {"table": "articles"}, "more": other})
    assert migrated.run(*INSTALL)[0] == 0
    assert wakeups(migrated) == ["articles"]
    migrated.configure(pipelines={"articles": {"table": "articles"}, "more": {**other, "poll": {}}})
    assert migrated.run("install-triggers", "more")[0] == 0
    assert wakeups(migrated) == []


def test_a_view_is_woken_by_the_tables_of_its_feeds(migrated: Deployment) -> None:
    """Nothing else can tell."""
    migrated.sql("CREATE VIEW titles AS SELECT id, title FROM articles")
    index = {"alias": f"{migrated.prefix}-titles", "replicas": 0}
    titles = {"table": "titles", "key": "id", "feeds": {"articles": {}}, "index": index, "poll": {"wakeup": "notify"}}
    migrated.configure(pipelines={"titles": titles})
    assert "pipelines.titles.poll.wakeup" in {finding["setting"] for finding in trouble(migrated)}
    assert migrated.run("install-triggers", "titles")[0] == 0
    assert wakeups(migrated) == ["articles"]
    assert "pipelines.titles.poll.wakeup" not in {finding["setting"] for finding in trouble(migrated)}
