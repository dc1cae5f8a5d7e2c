"""Roles to which just what is printed is granted."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from tests.app.deployment import Deployment
from tests.app.grants.granted import CLOSED, TABLES, Granted, database_of, grant_printed
from tests.conftest import Elastic
from tests.services.postgres import PostgresServer, create_database, drop_database


@pytest.fixture(scope="package")
def databases(
    postgres_server: PostgresServer, elastic: Elastic, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Granted]:
    """Tables, and roles to which nothing is granted yet."""
    name = uuid4().hex[:8]
    source, state = create_database(postgres_server), create_database(postgres_server)
    prefix = f"syncer-test-{uuid4().hex[:12]}"
    roles = [f"{kind}_{name}" for kind in ("owner", "runner", "reader")]
    granted = Granted(tmp_path_factory.mktemp("grants"), source, state, elastic, prefix, *roles)
    granted.sql(TABLES)
    granted.sql("; ".join(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'" for role in roles))
    for url in (source, state):
        granted.sql(CLOSED.format(name=database_of(url)), state=url == state)
    yield granted
    for url in (source, state):
        drop_database(postgres_server, url)
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        for role in roles:
            connection.execute(f"DROP ROLE {role}".encode())
    for index in elastic.client.indices.get_alias(index=f"{prefix}*"):
        elastic.client.indices.delete(index=index, ignore_unavailable=True)


@pytest.fixture
def running(databases: Granted, capfd: pytest.CaptureFixture[str], logs: None) -> Deployment:
    """As the runner, after migrate, with triggers and a loaded index, of which one row is refused."""
    deployment = databases.deployment(capfd)
    if not (databases.folder / "ready").exists():
        grant_printed(databases, deployment, "migrate", databases.owner)
        databases.configure(deployment, databases.owner)
        assert deployment.run("migrate")[0] == 0
        databases.configure(deployment, None)
        assert deployment.run("install-triggers", "articles")[0] == 0
        grant_printed(databases, deployment, "run", databases.runner)
        grant_printed(databases, deployment, "serve", databases.reader)
        databases.configure(deployment, databases.runner)
        assert deployment.run("run", "--once")[0] == 1
        (databases.folder / "ready").touch()
    databases.configure(deployment, databases.runner)
    return deployment
