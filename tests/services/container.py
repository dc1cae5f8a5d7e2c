"""Servers in containers, where a Docker engine runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

from tests.services.postgres import SETTINGS

_SECONDS = 120.0


@contextmanager
def postgres_container() -> Iterator[str]:
    """Run postgres:17 and yield the superuser's URL."""
    import psycopg
    from testcontainers.core.container import DockerContainer

    command = "postgres " + " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    container = DockerContainer("postgres:17").with_env("POSTGRES_PASSWORD", "secret").with_command(command)
    with container.with_exposed_ports(5432) as running:
        url = (
            f"postgresql://postgres:secret@{running.get_container_host_ip()}:{running.get_exposed_port(5432)}/postgres"
        )
        # Not by its log: the image starts the server twice, and the first one says that it is ready too.
        _wait(lambda: psycopg.connect(url).close(), psycopg.OperationalError)
        yield url


@contextmanager
def elasticsearch_container() -> Iterator[str]:
    """Run Elasticsearch 9 without security and yield its URL."""
    from testcontainers.core.container import DockerContainer

    container = (
        DockerContainer("elasticsearch:9.4.3")
        .with_env("discovery.type", "single-node")
        .with_env("xpack.security.enabled", "false")
        .with_env("ES_JAVA_OPTS", "-Xms512m -Xmx512m")
    )
    with container.with_exposed_ports(9200) as running:
        url = f"http://{running.get_container_host_ip()}:{running.get_exposed_port(9200)}"
        _wait(lambda: urlopen(f"{url}/_cluster/health?wait_for_status=yellow").close(), URLError, ConnectionError)
        yield url


def _wait(attempt: Callable[[], object], *errors: type[Exception]) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            attempt()
            return
        except errors:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
