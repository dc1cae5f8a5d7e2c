"""`syncer check` on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from syncer.adapters.postgres.inspection import shares_backends
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.core.error import SourceUnavailable
from tests.app.deployment import Deployment
from tests.conftest import Elastic
from tests.services.postgres import OwnPostgres, bin_dir


def trouble(deployment: Deployment) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code, and the findings that ask for something."""
    code, document = deployment.json("check")
    assert document["ok"] == (code == 0)
    return code, [finding for finding in document["findings"] if finding["severity"] != "info"]


@pytest.fixture
def migrated(deployment: Deployment) -> Deployment:
    """With its state, and triggers on its table."""
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("install-triggers", "articles")[0] == 0
    return deployment


def test_a_sound_deployment_has_no_trouble(migrated: Deployment) -> None:
    """Before its index is created, and after; what is there is told."""
    assert trouble(migrated) == (0, [])
    assert migrated.run("run", "--once")[0] == 0
    code, out, _ = migrated.run("check")
    assert code == 0
    for word in ("PostgreSQL", "Elasticsearch", "articles, key id, watermark updated_at", "live"):
        assert word in out


def test_a_missing_state_schema_is_told_with_the_command(deployment: Deployment) -> None:
    """It is the first thing that a new deployment lacks."""
    assert deployment.run("install-triggers", "articles")[0] == 0
    code, (finding,) = trouble(deployment)
    assert code == 1
    assert (finding["setting"], finding["remedy"]) == ("state.schema", "syncer migrate")


@pytest.mark.parametrize(
    ("ddl", "severity", "said"),
    [
        ("DROP INDEX articles_updated_at_id_idx", "warning", "no index begins with updated_at, id"),
        (
            "DROP INDEX articles_updated_at_id_idx; CREATE INDEX ON articles (updated_at DESC, id)",
            "warning",
            "no index begins with updated_at, id",
        ),
        ("DROP TRIGGER touch ON articles", "warning", "no trigger of public.articles seems to set updated_at"),
        ("ALTER TABLE articles DISABLE TRIGGER touch", "warning", "no trigger of public.articles"),
        (
            "ALTER TABLE articles ALTER updated_at DROP NOT NULL; INSERT INTO articles VALUES (1, 'a', '', NULL)",
            "warning",
            "rows without updated_at: 1",
        ),
        (
            "INSERT INTO articles VALUES (1, 'a', '', 'infinity')",
            "warning",
            "whose updated_at is infinite",
        ),
        (
            "INSERT INTO articles VALUES (1, 'a', '', '2999-01-01')",
            "warning",
            "updated_at is in the future: 1",
        ),
        (
            "ALTER TABLE articles DROP CONSTRAINT articles_pkey, ALTER id DROP NOT NULL, ADD UNIQUE (id)",
            "error",
            "id may be NULL",
        ),
        (
            "ALTER TABLE articles DROP CONSTRAINT articles_pkey; CREATE UNIQUE INDEX ON articles (id) WHERE id > 5",
            "error",
            "no unique index says that id identifies a row",
        ),
    ],
)
def test_what_is_wrong_with_a_table_is_told_and_its_sql_mends_it(
    ddl: str, severity: str, said: str, migrated: Deployment
) -> None:
    """Each with its severity, what follows, and what to do."""
    migrated.configure(key="id")
    migrated.sql(ddl)
    code, (finding,) = trouble(migrated)
    assert code == 1
    assert finding["severity"] == severity
    assert said in finding["what"]
    assert finding["consequence"]
    assert finding["remedy"]
    if finding["sql"]:
        migrated.sql(finding["sql"])
        assert trouble(migrated) == (0, [])


def test_the_sql_is_printed_as_it_is(migrated: Deployment) -> None:
    """So that it can be copied; without being asked for, only that there is some."""
    migrated.sql("DROP INDEX articles_updated_at_id_idx")
    assert "--show-sql" in migrated.run("check")[1]
    assert (
        'CREATE INDEX CONCURRENTLY ON "public"."articles" ("updated_at", "id");\n'
        in migrated.run("check", "--show-sql")[1]
    )


def test_indices_and_triggers_of_partitions_count(migrated: Deployment) -> None:
    """And a partitioned table gets SQL that Postgres takes."""
    migrated.sql(
        """
        ALTER TABLE articles RENAME TO plain;
        CREATE TABLE articles (LIKE plain INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY HASH (id);
        CREATE TABLE part PARTITION OF articles FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        CREATE TRIGGER touch BEFORE UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION touch();
        """
    )
    _, findings = trouble(migrated)
    assert len(findings) == 2
    for finding in findings:
        migrated.sql(finding["sql"])
    assert trouble(migrated) == (0, [])


def test_moddatetime_counts_as_a_trigger(migrated: Deployment) -> None:
    """It names the column in its arguments alone."""
    migrated.sql(
        """
        CREATE FUNCTION anything() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        DROP TRIGGER touch ON articles;
        CREATE TRIGGER t BEFORE UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION anything(updated_at);
        """
    )
    assert trouble(migrated) == (0, [])


@pytest.fixture
def reader(deployment: Deployment) -> Iterator[str]:
    """A role without any privilege."""
    name = f"reader_{uuid4().hex[:8]}"
    deployment.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2'")
    yield name
    deployment.sql(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def test_missing_privileges_are_told_with_the_grants(migrated: Deployment, reader: str) -> None:
    """† A role that may only read the table is enough for a source, but for two warnings."""
    migrated.sql("CREATE SCHEMA shop; ALTER TABLE articles SET SCHEMA shop")
    migrated.configure(
        source={"url": migrated.url_of(reader, "hunter2")}, state={"url": migrated.postgres_url}, table="shop.articles"
    )
    code, findings = trouble(migrated)
    assert code == 1
    assert [finding["severity"] for finding in findings] == ["warning", "error", "warning"]
    assert "may not see when the transactions of others began" in findings[0]["what"]
    assert f"{reader} may not read shop.articles" in findings[1]["what"]
    assert "no triggers note what is deleted from shop.articles" in findings[2]["what"]
    for finding in findings:
        migrated.sql(finding["sql"])
    assert trouble(migrated) == (0, [])


@pytest.mark.parametrize("whose", ["DATABASE {database}", "ROLE {reader} IN DATABASE {database}"])
def test_activities_that_are_not_tracked_are_told(whose: str, migrated: Deployment, reader: str) -> None:
    """When a transaction began is seen by nobody then, whatever they may see; of one role's, too."""
    database = urlsplit(migrated.postgres_url).path[1:]
    migrated.sql(f"ALTER {whose.format(database=database, reader=reader)} SET track_activities = off")
    code, (finding,) = trouble(migrated)
    assert code == 1
    assert "track_activities is off" in finding["what"]


def test_a_state_schema_that_cannot_be_created_is_told_with_the_grant(deployment: Deployment, reader: str) -> None:
    """Before `syncer migrate` fails."""
    deployment.sql(f"GRANT SELECT ON articles TO {reader}; GRANT pg_read_all_stats TO {reader}")
    deployment.configure(source={"url": deployment.url_of(reader, "hunter2")})
    _, (finding, triggers) = trouble(deployment)
    assert finding["setting"] == "state.schema"
    deployment.sql(finding["sql"])
    assert deployment.run("migrate")[0] == 0
    deployment.sql(triggers["sql"])
    assert trouble(deployment) == (0, [])


def test_row_level_security_is_an_error(migrated: Deployment, reader: str) -> None:
    """A hidden row would be taken for a deleted one."""
    migrated.sql(
        f"GRANT SELECT ON articles TO {reader}; GRANT pg_read_all_stats TO {reader};"
        "ALTER TABLE articles ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON articles USING (id > 5)"
    )
    migrated.configure(source={"url": migrated.url_of(reader, "hunter2")}, state={"url": migrated.postgres_url})
    _, (finding, tombstones) = trouble(migrated)
    assert "row-level security hides rows" in finding["what"]
    migrated.sql(finding["sql"])
    migrated.sql(tombstones["sql"])
    assert trouble(migrated) == (0, [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"table": "artcles"}, "pipelines.articles.table: there is no table artcles"),
        ({"watermark": "changed_at"}, "pipelines.articles.watermark: public.articles has no column changed_at"),
        ({"fields": {"titel": "text"}}, "pipelines.articles.fields.titel: public.articles has no column titel"),
        ({"where": "updated_at > now()"}, "pipelines.articles.where: now() makes rows enter and leave the index"),
        ({"where": "titel = 'x'"}, 'pipelines.articles.where: column "titel" does not exist'),
        ({"fields": {"title": {"type": "text", "analyzer": "klingon"}}}, "klingon"),
        ({"embedding": {"text": "{title}"}}, "embedding.model: cannot load the model"),
    ],
)
def test_a_setting_that_names_nothing_is_2(changes: dict[str, Any], said: str, migrated: Deployment) -> None:
    """As in every other command; the rest is looked at all the same."""
    migrated.configure(model="/nowhere", **changes)
    code, (finding,) = trouble(migrated)
    assert said in f"{finding['setting']}: {finding['what']}"
    assert code == 2


def test_what_cannot_be_reached_is_3(migrated: Deployment) -> None:
    """And the rest is looked at all the same."""
    migrated.configure(elasticsearch={"hosts": "http://127.0.0.1:1"})
    code, (finding,) = trouble(migrated)
    assert (code, finding["setting"]) == (3, "elasticsearch")
    migrated.configure(source={"url": "postgresql://a:hunter2@127.0.0.1:1/b"})
    code, (finding,) = trouble(migrated)
    assert (code, finding["setting"]) == (3, "source.url")
    assert "hunter2" not in str(finding)


def test_a_standby_is_an_error(migrated: Deployment) -> None:
    """It knows nothing of the transactions that are open on its primary."""
    server = OwnPostgres(bin_dir())
    try:
        server.start()
        server.stop()
        (server.directory / "data" / "standby.signal").touch()
        server.start()
        migrated.configure(source={"url": server.url()}, state={"url": migrated.postgres_url})
        code, (finding,) = trouble(migrated)
    finally:
        server.delete()
    assert (code, finding["setting"], finding["what"]) == (1, "source.url", "it leads to a standby")


def test_a_table_that_a_subscription_fills_is_told(migrated: Deployment) -> None:
    """† Its rows come with the stamps of another server."""
    migrated.sql("CREATE SUBSCRIPTION s CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)")
    try:
        migrated.sql(
            "INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) "
            "SELECT oid, 'articles'::regclass, 'i' FROM pg_subscription WHERE subname = 's'"
        )
        _, (finding,) = trouble(migrated)
    finally:
        migrated.sql("ALTER SUBSCRIPTION s SET (slot_name = NONE)")
        migrated.sql("DROP SUBSCRIPTION s")
    assert "is filled by a subscription" in finding["what"]


def test_an_alias_that_belongs_to_something_else_is_told(migrated: Deployment) -> None:
    """Before the load is done and cannot be published."""
    migrated.elastic.client.indices.create(index=f"{migrated.prefix}-articles")
    code, (finding,) = trouble(migrated)
    assert code == 2
    assert "is the name of an index" in finding["what"]


def test_a_configuration_that_the_index_was_not_built_from_is_told(migrated: Deployment) -> None:
    """With what differs, and the command."""
    assert migrated.run("run", "--once")[0] == 0
    migrated.configure(fields={"title": "keyword"})
    code, (finding,) = trouble(migrated)
    assert code == 1
    assert "mapping: title.type is text, configured keyword" in finding["what"]
    assert "mapping: price was removed" in finding["what"]
    assert finding["remedy"].startswith("syncer rebuild articles")
    migrated.sql(
        "INSERT INTO syncer.indices (name, pipeline, alias, phase, epoch, fingerprint, followed, kept_since) "
        "SELECT name || '-kept', pipeline, alias, 'kept', 0, fingerprint, false, now() FROM syncer.indices;"
        """UPDATE syncer.indices SET fingerprint = '{"mapping": "other"}', definition = '{}' WHERE followed"""
    )
    migrated.configure()
    _, (finding,) = trouble(migrated)
    assert "mapping changed" in finding["what"]
    assert finding["remedy"].startswith("syncer rollback articles")


@pytest.mark.parametrize(
    ("changes", "difference", "consequence"),
    [
        ({"fields": {"title": "text", "price": "text"}}, "mapping: price is new", "adds in place what is new"),
        ({"fields": {"title": "keyword"}, "on_change": "rebuild"}, "mapping: title.type is text", "builds a new index"),
    ],
)
def test_a_change_that_run_brings_to_the_index_is_no_trouble(
    changes: dict[str, Any], difference: str, consequence: str, migrated: Deployment
) -> None:
    """It is told all the same."""
    migrated.configure(fields={"title": "text"})
    assert migrated.run("run", "--once")[0] == 0
    migrated.configure(**changes)
    assert trouble(migrated) == (0, [])
    _, document = migrated.json("check")
    (finding,) = [one for one in document["findings"] if difference in one["what"]]
    assert consequence in finding["consequence"]
    assert finding["remedy"] == "syncer run articles"


def test_routing_without_triggers_is_told(migrated: Deployment) -> None:
    """Nothing says where the document of a row was that is routed anew."""
    assert migrated.run("remove-triggers", "articles")[0] == 0
    migrated.configure(routing="title")
    _, (finding,) = trouble(migrated)
    assert "the old one of a row whose title changes" in finding["consequence"]
    migrated.sql(finding["sql"])
    assert trouble(migrated) == (0, [])


def test_nothing_is_left_behind(migrated: Deployment, elastic: Elastic) -> None:
    """The index that proves the mapping is deleted."""
    assert trouble(migrated) == (0, [])
    assert list(elastic.client.indices.get_alias(index=f"{migrated.prefix}*", expand_wildcards="all")) == []


def test_a_pool_by_transaction_is_recognised(postgres_url: str) -> None:
    """Two connections of it end at one server process."""
    first, second = (
        Session(postgres_url, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)
        for _ in range(2)
    )
    try:
        assert not shares_backends(first, second)
        assert shares_backends(first, first)
    finally:
        first.close()
        second.close()
