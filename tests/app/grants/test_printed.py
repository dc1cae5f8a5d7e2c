"""What `syncer grants` prints: SQL that runs as it stands, for exactly what the pipelines read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from syncer.app.grants import Needed, role_grants
from syncer.app.purpose import Purpose
from tests.app.deployment import Deployment

NEEDED = Needed(
    source="app",
    state="app",
    shared=True,
    schema="syncer",
    tables=[("public", "articles")],
    secured=False,
    noted=False,
    owners=["shop"],
    aliases=["articles", "authors"],
    ages=False,
)


@pytest.fixture
def roles(deployment: Deployment) -> Iterator[list[str]]:
    """The owner of the table, who migrates, the daemon and the reader; nothing is granted yet."""
    names = [f'{kind} "{uuid4().hex[:8]}"' for kind in ("table", "owner", "runner", "reader")]
    quoted = ['"{}"'.format(name.replace('"', '""')) for name in names]
    for role in quoted:
        deployment.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'")
    yield names
    for role in quoted:
        deployment.sql(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}")


def url_of(deployment: Deployment, role: str) -> str:
    return deployment.url_of(role.replace('"', "%22").replace(" ", "%20"), "plain")


def printed(deployment: Deployment, *arguments: str) -> str:
    deployment.configure()
    code, out, err = deployment.run("grants", *arguments)
    assert code == 0, err
    return out


def statements(deployment: Deployment, purpose: str) -> list[str]:
    code, document = deployment.json("grants", "--for", purpose)
    assert code == 0
    (each,) = document["grants"]
    return [*each["source"], *each["state"]]


def test_the_text_runs_as_it_stands(deployment: Deployment, roles: list[str]) -> None:
    """In the order in which it is printed, with what is said for people as comments; roles of any name."""
    table, owner, runner, reader = roles
    deployment.sql(
        'ALTER TABLE articles OWNER TO "{}"; REVOKE ALL ON SCHEMA public FROM PUBLIC;'
        'GRANT USAGE ON SCHEMA public TO "{}"'.format(*[table.replace('"', '""')] * 2)
    )
    deployment.sql(printed(deployment, "--for", "migrate", "--role", owner))
    deployment.configure(source={"url": url_of(deployment, owner)})
    assert deployment.run("migrate")[0] == 0
    deployment.sql(printed(deployment, "--for", "triggers"))
    deployment.configure(source={"url": url_of(deployment, table)})
    assert deployment.run("install-triggers", "articles")[0] == 0
    deployment.sql(printed(deployment, "--for", "run", "--role", runner))
    deployment.sql(printed(deployment, "--for", "serve", "--role", reader))
    deployment.configure(source={"url": url_of(deployment, runner)})
    deployment.sql("INSERT INTO articles VALUES (1, 'apple'), (2, 'pear'); DELETE FROM articles WHERE id = 2")
    code, out, err = deployment.run("check")
    assert code == 0, out + err
    assert deployment.run("run", "--once")[0] == 0
    deployment.configure(source={"url": url_of(deployment, reader)})
    assert deployment.run("status")[0] == 0
    # The owner of the table may take the triggers away again.
    deployment.configure(source={"url": url_of(deployment, table)})
    assert deployment.run("remove-triggers", "articles")[0] == 0


@pytest.mark.parametrize("missing", ["CREATE SCHEMA", "GRANT USAGE, CREATE"])
def test_who_may_not_migrate_is_told_the_grant(deployment: Deployment, roles: list[str], missing: str) -> None:
    """Whichever statement is left out."""
    owner = roles[1]
    deployment.configure()
    code, document = deployment.json("grants", "--for", "migrate", "--role", owner)
    assert code == 0
    for statement in document["grants"][0]["source"]:
        # Without the schema nothing can be granted on it.
        if not statement.startswith(missing) and not (missing == "CREATE SCHEMA" and "ON SCHEMA" in statement):
            deployment.sql(statement)
    deployment.configure(source={"url": url_of(deployment, owner)})
    code, _, err = deployment.run("migrate")
    assert code == 4
    assert "may not create" in err
    assert "GRANT CREATE" in err


def test_owners_who_may_not_install_are_told_the_grant(deployment: Deployment, roles: list[str]) -> None:
    """With the schema there, and nothing granted on it."""
    table = roles[0].replace('"', '""')
    deployment.sql(f'ALTER TABLE articles OWNER TO "{table}"; CREATE SCHEMA syncer')
    deployment.configure(source={"url": url_of(deployment, roles[0])})
    code, _, err = deployment.run("install-triggers", "articles")
    assert code == 4
    assert f'GRANT USAGE, CREATE ON SCHEMA "syncer" TO "{table}";' in err
    assert f'GRANT USAGE, CREATE ON SCHEMA "syncer" TO "{table}";' in printed(deployment, "--for", "triggers")


def test_a_query_is_granted_the_tables_that_it_reads(deployment: Deployment) -> None:
    """Those alone, by a view that is gone afterwards; and the tables that feed it."""
    deployment.sql(
        'CREATE TABLE "x""; DROP TABLE y; --" (id bigint PRIMARY KEY, article bigint); CREATE TABLE y (id bigint);'
        "CREATE VIEW shown AS SELECT id FROM y"
    )
    query = (
        'SELECT a.id, a.title FROM articles AS a LEFT JOIN "x""; DROP TABLE y; --" AS x ON x.id = a.id'
        " WHERE a.id IN (SELECT id FROM shown);"
    )
    deployment.configure(
        pipelines={
            "articles": {
                "query": query,
                "key": "id",
                "feeds": {"articles": {}},
                "index": {"alias": f"{deployment.prefix}-articles"},
            }
        }
    )
    found = statements(deployment, "serve")
    assert [each.split(" TO ")[0] for each in found if each.startswith("GRANT SELECT") and '"public"' in each] == [
        'GRANT SELECT ON TABLE "public"."articles"',
        'GRANT SELECT ON TABLE "public"."shown"',
        'GRANT SELECT ON TABLE "public"."x""; DROP TABLE y; --"',
    ]
    with psycopg.connect(deployment.postgres_url) as connection:
        assert connection.execute("SELECT FROM pg_class WHERE relname LIKE 'syncer%'").fetchall() == []


def test_policies_are_to_be_passed_by(deployment: Deployment) -> None:
    """Where row-level security is on; else nothing is said of it."""
    assert not [each for each in statements(deployment, "run") if "BYPASSRLS" in each]
    deployment.sql("ALTER TABLE articles ENABLE ROW LEVEL SECURITY")
    assert 'ALTER ROLE "syncer" BYPASSRLS;' in statements(deployment, "run")


def test_a_state_of_its_own_has_statements_of_its_own(deployment: Deployment, postgres_url: str) -> None:
    """Each is printed under the database that it is for; the reader of the source gets nothing there."""
    deployment.configure(state={"url": postgres_url})
    code, document = deployment.json("grants", "--for", "run", "--for", "migrate")
    assert code == 0
    migrate, run = document["grants"]
    assert (migrate["for"], migrate["source"], run["for"]) == ("migrate", [], "run")
    assert all('"syncer"."' not in statement for statement in run["source"])
    assert any('ON TABLE "syncer"."indices"' in statement for statement in run["state"])
    out = deployment.run("grants", "--for", "run")[1]
    assert out.index("(source.url):") < out.index('"public"."articles"') < out.index("(state.url):")


@pytest.mark.parametrize("arguments", [[], ["--for", "run", "--for", "serve"], ["--for", "triggers"]])
def test_one_name_is_of_one_role(deployment: Deployment, arguments: list[str]) -> None:
    """And an owner's is known."""
    code, _, err = deployment.run("grants", "--role", "me", *arguments)
    assert (code, "--for migrate, run or serve" in err) == (2, True)


def test_elasticsearch_is_granted_by_alias() -> None:
    """For all that are asked for; policies only where indices age."""

    def descriptor(purpose: Purpose, *, ages: bool = False) -> Any:
        needed = Needed(**{**{name: getattr(NEEDED, name) for name in NEEDED.__slots__}, "ages": ages})
        (each,) = role_grants(purpose, needed)
        assert each.of_elasticsearch()["api_key"]["role_descriptors"] == {each.role: each.elasticsearch}
        return each.elasticsearch

    names = ["articles", "articles-*", "authors", "authors-*"]
    assert descriptor(Purpose.RUN) == {
        "cluster": ["monitor"],
        "indices": [{"names": names, "privileges": ["manage", "index", "delete", "read"]}],
    }
    assert descriptor(Purpose.RUN, ages=True)["cluster"] == ["monitor", "manage_ilm"]
    assert descriptor(Purpose.SERVE) == {
        "cluster": ["monitor"],
        "indices": [{"names": names, "privileges": ["read", "view_index_metadata", "monitor"]}],
    }


def test_names_cannot_end_a_comment(deployment: Deployment) -> None:
    """Nor a statement."""
    role = f'{uuid4().hex[:8]}*/\n"; DROP TABLE articles; --'
    quoted = '"{}"'.format(role.replace('"', '""'))
    assert deployment.run("migrate")[0] == 0
    deployment.sql(f"CREATE ROLE {quoted}")
    try:
        deployment.sql(printed(deployment, "--for", "run", "--role", role))
        deployment.sql("SELECT FROM articles")
    finally:
        deployment.sql(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}")
