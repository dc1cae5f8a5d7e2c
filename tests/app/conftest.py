"""What tests of the outside share."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.app.deployment import TABLE, Deployment
from tests.conftest import Elastic


@pytest.fixture
def logs() -> Iterator[None]:
    """Logging as it was, after a test that configures it."""
    root = logging.getLogger()
    handlers, level, show = root.handlers[:], root.level, warnings.showwarning
    yield
    logging.captureWarnings(False)
    warnings.showwarning = show
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def deployment(
    tmp_path: Path,
    postgres_url: str,
    elastic: Elastic,
    index_prefix: str,
    capfd: pytest.CaptureFixture[str],
    logs: None,
) -> Deployment:
    """A table that is as it should be, and a configuration that follows it."""
    deployment = Deployment(tmp_path, postgres_url, elastic, index_prefix, capfd)
    deployment.sql(TABLE)
    deployment.configure()
    return deployment
