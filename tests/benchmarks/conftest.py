"""Benchmarks use the installation of the acceptance tests, and run on a real Elasticsearch alone."""

from __future__ import annotations

import platform
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.acceptance.conftest import installation
from tests.conftest import Elastic
from tests.services.postgres import PostgresServer

__all__ = ["installation"]


@pytest.fixture
def machine(real_elastic: Elastic, postgres_server: PostgresServer) -> str:
    """What the figures were taken on, in a line."""
    elasticsearch = real_elastic.client.info()["version"]["number"]
    with psycopg.connect(postgres_server.url()) as connection:
        postgres = connection.info.server_version // 10_000
        minor = connection.info.server_version % 10_000
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{_processor()}, {psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, PostgreSQL {postgres}.{minor}, Elasticsearch {elasticsearch}, "
        "servers on the same machine"
    )


def _processor() -> str:
    """Return the model, or at least the architecture: only Linux on some architectures tells the model in a file."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
