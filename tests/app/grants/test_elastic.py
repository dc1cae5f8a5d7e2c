"""What `syncer grants` prints for Elasticsearch, on a secured server: enough for everything, and each part is missed.

The environment names the server as for `tests/adapters/elastic/test_security.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from elasticsearch import Elasticsearch

from syncer.adapters.memory.clock import MemoryClock
from syncer.app.pipeline_report import Reporter
from syncer.app.redaction import redactor
from syncer.app.settings import Settings
from syncer.app.wiring import Application
from syncer.core.search.request import Mode, Request
from tests.app.deployment import TABLE, Deployment
from tests.conftest import Elastic
from tests.services.postgres import PostgresServer, create_database, drop_database
from tests.services.search import ForeignSearch


def setting(name: str) -> str:
    value = os.environ.get(f"SYNCER_TEST_ELASTICSEARCH_SECURE_{name}")
    if not value:
        pytest.skip(f"needs a secured Elasticsearch: set SYNCER_TEST_ELASTICSEARCH_SECURE_{name}")
    return value


@pytest.fixture(scope="module")
def secured() -> Iterator[Elastic]:
    """The secured server, and somebody who may create API keys."""
    url, username, password, ca_certs = (setting(name) for name in ("URL", "USERNAME", "PASSWORD", "CA_CERTS"))
    with Elasticsearch(url, basic_auth=(username, password), ca_certs=ca_certs, request_timeout=30) as client:
        yield Elastic(url, client, True, ForeignSearch(url), username, password, ca_certs)


@pytest.fixture(scope="module")
def prefix(secured: Elastic) -> Iterator[str]:
    prefix = f"syncer-test-{uuid4().hex[:12]}"
    yield prefix
    for index in secured.client.indices.get_alias(index=f"{prefix}*"):
        secured.client.indices.delete(index=index, ignore_unavailable=True)


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[str]:
    url = create_database(postgres_server)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE.encode())
        connection.execute("INSERT INTO articles VALUES (1, 'apple'), (2, 'pear'), (3, 'plum')")
    yield url
    drop_database(postgres_server, url)


class Keys:
    """Lets the commands use API keys of what is printed."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._elastic = deployment.elastic
        # The administrator's password is not needed to print.
        self._printed = {
            purpose: deployment.json("grants", "--for", purpose)[1]["grants"][0]["elasticsearch"]["api_key"]
            for purpose in ("run", "serve")
        }

    def use(self, purpose: str, *, without: tuple[str, str] | None = None) -> None:
        """without: one privilege, of `cluster` or `indices`."""
        printed = self._printed[purpose]
        ((name, descriptor),) = printed["role_descriptors"].items()
        if without is not None:
            descriptor = _less(descriptor, *without)
        made = self._elastic.client.security.create_api_key(
            name=printed["name"], expiration="1h", role_descriptors={name: descriptor}
        )
        self._deployment.configure(
            elasticsearch={"hosts": self._elastic.url, "ca_certs": self._elastic.ca_certs, "api_key": made["encoded"]}
        )


def _less(descriptor: dict[str, Any], part: str, missing: str) -> dict[str, Any]:
    def less(privileges: list[str]) -> list[str]:
        assert missing in privileges
        return [name for name in privileges if name != missing]

    if part == "cluster":
        return {**descriptor, "cluster": less(descriptor["cluster"])}
    return {
        **descriptor,
        "indices": [{**each, "privileges": less(each["privileges"])} for each in descriptor["indices"]],
    }


@pytest.fixture
def deployment(
    secured: Elastic,
    prefix: str,
    database: str,
    tmp_path_factory: pytest.TempPathFactory,
    capfd: pytest.CaptureFixture[str],
    logs: None,
) -> Deployment:
    """A loaded index."""
    deployment = Deployment(tmp_path_factory.mktemp("grants"), database, secured, prefix, capfd)
    deployment.configure()
    for command in (["migrate"], ["install-triggers", "articles"], ["run", "--once"]):
        assert deployment.run(*command)[0] == 0
    return deployment


@pytest.fixture
def keys(deployment: Deployment) -> Keys:
    return Keys(deployment)


def test_every_command_works_with_what_is_printed(deployment: Deployment, keys: Keys) -> None:
    """With an API key of the daemon's privileges."""
    keys.use("run")
    for arguments in (
        "check",
        "run --once",
        "status",
        "pause articles",
        "resume articles",
        "backfill articles --restart",
        "resync articles --ids 1,2",
        "verify articles",
        "verify articles --deep",
        "verify articles --repair",
        "dead-letters list articles",
        "rebuild articles",
        "rollback articles",
        "promote articles",
        "rebuild articles --no-swap",
        "rebuild articles --abandon",
        "indices",
        "schedule",
        "search articles apple",
        "cluster --interval 0",
    ):
        code, out, err = deployment.run(*arguments.split())
        assert code == 0, (arguments, code, out, err)
        assert "unauthorized" not in out + err, arguments


def test_what_only_shows_works_with_less(deployment: Deployment, keys: Keys) -> None:
    """And may not write."""
    keys.use("serve")
    for arguments in ("search articles apple", "status", "indices", "cluster --interval 0"):
        code, out, err = deployment.run(*arguments.split())
        assert (code, "unauthorized" in out + err) == (0, False), (arguments, out, err)
    _search_in_every_way(deployment)
    assert '"id": "1"' in deployment.run("search", "articles", "apple", "--json")[1]
    deployment.sql("UPDATE articles SET title = 'apple' WHERE id = 1")
    code, _, err = deployment.run("run", "--once")
    assert code == 4
    assert "unauthorized" in err


def _search_in_every_way(deployment: Deployment) -> None:
    """Pages, cursors, completions, what is similar, single documents, and the status page."""
    clock = MemoryClock()
    application = Application(Settings.load(deployment.folder / "syncer.yaml", {}), clock)
    try:
        searcher = application.searcher("articles")
        first = searcher.search(Request("", Mode.KEYWORD, paged=True, size=1))
        assert first.cursor is not None
        second = searcher.search(Request("", Mode.KEYWORD, paged=True, size=1, cursor=first.cursor))
        assert {hit.id for hit in (*first.hits, *second.hits)} < {"1", "2", "3"}
        assert searcher.document("1") is not None
        assert searcher.similar("1") is not None
        searcher.suggest("app")
        with closing(Reporter(lambda _: application, clock, ["articles"], redactor(()), letters=True)) as reporter:
            found = reporter()["articles"]
        assert not [told for told in found.notes if "unauthorized" in told]
        assert all(each.statistics is not None for each in found.indices)
    finally:
        application.close()


@pytest.mark.parametrize("missing", ["monitor", "manage", "index", "delete", "read"])
def test_each_is_missed_by_check_and_by_the_daemon(deployment: Deployment, keys: Keys, missing: str) -> None:
    """† By name, with where to find what is needed; no row is put off or counted as refused, and none is lost."""
    deployment.sql("INSERT INTO articles VALUES (9, 'fig')")
    assert deployment.run("run", "--once")[0] == 0
    deployment.sql("DELETE FROM articles WHERE id = 9; UPDATE articles SET title = title || '!' WHERE id = 2")
    keys.use("run", without=("cluster" if missing == "monitor" else "indices", missing))

    code, document = deployment.json("check")
    assert code != 0
    (finding,) = [each for each in document["findings"] if each["setting"] == "elasticsearch" and each["remedy"]]
    assert missing in finding["what"]
    assert "syncer grants" in finding["remedy"]

    commands = ("verify articles", "search articles apple") if missing == "read" else ("run --once",)
    told = []
    for command in ("run --once", *commands, "backfill articles --restart", "rebuild articles --no-swap"):
        code, _, err = deployment.run(*command.split())
        if code:
            assert code == 4, (command, err)
            told.append(err)
    assert told
    for err in told:
        assert "unauthorized" in err
        assert f"{missing}" in err.partition("privileges [")[2].partition("]")[0].split(",")
        assert "syncer grants" in err
    assert deployment.json("dead-letters", "list", "articles")[1]["dead_letters"] == 0

    keys.use("run")
    deployment.run("rebuild", "articles", "--abandon")
    assert deployment.run("run", "--once")[0] == 0
    code, document = deployment.json("verify", "articles")
    assert (code, document["missing"], document["stale"], document["extra"]) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("part", "missing", "command"),
    [
        ("cluster", "monitor", "search articles apple"),
        ("indices", "read", "search articles apple"),
        ("indices", "view_index_metadata", "indices"),
        ("indices", "monitor", "indices"),
    ],
)
def test_each_is_missed_by_what_only_shows(
    deployment: Deployment, keys: Keys, part: str, missing: str, command: str
) -> None:
    """By name, too."""
    keys.use("serve", without=(part, missing))
    code, _, err = deployment.run(*command.split())
    assert code == 4, err
    assert missing in err.partition("privileges [")[2].partition("]")[0].split(",")
    assert "syncer grants" in err
