"""Benchmarks use the installation of the acceptance tests, and run on a real Elasticsearch alone."""

from __future__ import annotations

import platform

import psutil
import pytest

from tests.acceptance.conftest import installation
from tests.conftest import Elastic

__all__ = ["installation"]


@pytest.fixture
def machine(real_elastic: Elastic) -> str:
    """What the figures were taken on, in a line."""
    version = real_elastic.client.info()["version"]["number"]
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}, "
        f"Elasticsearch {version}, servers on the same machine"
    )
