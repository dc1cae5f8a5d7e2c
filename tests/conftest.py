"""Servers, fresh databases and index names for the tests.

Without any setting the tests run on engines from the package index. The environment chooses others:

    SYNCER_TEST_POSTGRES_BIN             folder with the binaries of another Postgres, started by the tests
    SYNCER_TEST_POSTGRES_URL             a superuser's URL of a server that runs; it is not stopped or killed
    SYNCER_TEST_ELASTICSEARCH_URL        a real Elasticsearch, with _USERNAME, _PASSWORD and _CA_CERTS where it asks
    SYNCER_TEST_ELASTICSEARCH_CONTROL    a script that takes `kill`, `stop` or `start` and does it to that server;
                                         `start` returns when it answers, on the same URL and with the same data
    SYNCER_TEST_CONTAINERS=1             postgres:17 and Elasticsearch 9 in containers
    SYNCER_TEST_CHROMIUM                 a browser, in place of `chromium` on the path
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from elastic_transport.client_utils import DEFAULT
from elasticsearch import Elasticsearch

from tests.services.container import elasticsearch_container, postgres_container
from tests.services.ilm import IlmServer
from tests.services.postgres import (
    ForeignPostgres,
    OwnPostgres,
    PostgresServer,
    bin_dir,
    create_database,
    drop_database,
)
from tests.services.proxy import Proxy, ProxyFactory
from tests.services.search import ForeignSearch, OwnSearch, SearchServer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-services", action="store_true", help="a test that would be skipped fails")
    chaos = parser.getgroup("chaos")
    chaos.addoption("--chaos-scenarios", type=int, metavar="N", help="how many; left out: a short form")
    soak = parser.getgroup("soak")
    soak.addoption("--soak-seconds", type=float, default=180, metavar="SECONDS", help="how long a soak lasts")
    chaos.addoption("--chaos-seed", type=int, metavar="SEED", help="of the first ones; left out: a new one")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid_skip(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skip(collector.config, report)
    return report


def _forbid_skip(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    if config.getoption("--require-services") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"--require-services forbids to skip: {report.longrepr}"


@dataclass(frozen=True, slots=True)
class Elastic:
    """A search engine, and how to reach it."""

    url: str
    client: Elasticsearch
    #: Elasticsearch itself; False: the embedded engine, which knows less.
    real: bool
    server: SearchServer
    username: str | None = None
    password: str | None = None
    ca_certs: str | None = None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A Postgres: url(database), stop(), kill(), start(), restart(). A test that ends it starts it again."""
    with ExitStack() as stack:
        if url := os.environ.get("SYNCER_TEST_POSTGRES_URL"):
            yield ForeignPostgres(url)
        elif os.environ.get("SYNCER_TEST_CONTAINERS"):
            yield ForeignPostgres(stack.enter_context(postgres_container()))
        else:
            server = OwnPostgres(bin_dir())
            stack.callback(server.delete)
            server.start()
            yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL (postgresql://…) of an empty database, as superuser; dropped after the test."""
    url = create_database(postgres_server)
    yield url
    drop_database(postgres_server, url)


@pytest.fixture(scope="session")
def elastic() -> Iterator[Elastic]:
    """A search engine: url, client, real. A test that ends `elastic.server` starts it again."""
    with ExitStack() as stack:
        server: SearchServer
        if url := os.environ.get("SYNCER_TEST_ELASTICSEARCH_URL"):
            server, real = ForeignSearch(url), True
        elif os.environ.get("SYNCER_TEST_CONTAINERS"):
            server, real = ForeignSearch(stack.enter_context(elasticsearch_container())), True
        else:
            server, real = OwnSearch(), False
            stack.callback(server.delete)
            server.start()
        username, password, ca_certs = (
            os.environ.get(f"SYNCER_TEST_ELASTICSEARCH_{name}") for name in ("USERNAME", "PASSWORD", "CA_CERTS")
        )
        login = (username, password or "") if username else None
        client = Elasticsearch(server.url, basic_auth=login, ca_certs=ca_certs or DEFAULT, request_timeout=30)
        with client:
            yield Elastic(server.url, client, real, server, username, password, ca_certs)


@pytest.fixture
def real_elastic(elastic: Elastic) -> Elastic:
    """The search engine where it is Elasticsearch itself; else the test is skipped."""
    if not elastic.real:
        pytest.skip("needs a real Elasticsearch: set SYNCER_TEST_ELASTICSEARCH_URL")
    return elastic


@pytest.fixture
def index_prefix(elastic: Elastic) -> Iterator[str]:
    """The beginning of the test's names of indices and aliases; all such indices are deleted after it."""
    prefix = f"syncer-test-{uuid4().hex[:12]}"
    yield prefix
    # By name: the server refuses to delete by pattern.
    for name in elastic.client.indices.get_alias(index=f"{prefix}*"):
        elastic.client.indices.delete(index=name, ignore_unavailable=True)


@pytest.fixture
def proxy() -> Iterator[ProxyFactory]:
    """Call it with a URL: a Proxy to that server, with port, url(…), stop, start, reset, black_hole, restore."""
    with ExitStack() as stack:

        def make(url: str) -> Proxy:
            parts = urlsplit(url)
            made = Proxy(str(parts.hostname), parts.port or 0)
            stack.callback(made.stop)
            return made

        yield make


@pytest.fixture
def ilm(elastic: Elastic) -> Iterator[IlmServer]:
    """The search engine with index lifecycle management before it, where it asks for no password."""
    if elastic.username:
        pytest.skip("the server with index lifecycle management knows no passwords")
    made = IlmServer(elastic.url)
    yield made
    made.close()
