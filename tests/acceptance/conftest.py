"""An installation for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.installation import Installation
from tests.conftest import Elastic

SCHEMA = """
CREATE TABLE public.item (
    id bigint PRIMARY KEY,
    title text NOT NULL,
    amount numeric,
    deleted_at timestamptz,
    updated_at timestamptz DEFAULT now()
);
CREATE INDEX ON public.item (updated_at, id);
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON public.item FOR EACH ROW EXECUTE FUNCTION public.touch();
"""


@pytest.fixture
def installation(tmp_path: Path, postgres_url: str, elastic: Elastic, index_prefix: str) -> Installation:
    """A migrated state, a table `public.item`, and a pipeline on it that is configured and has not run."""
    made = Installation(tmp_path, postgres_url, elastic.client, index_prefix, _settings(elastic))
    made.sql(SCHEMA)
    made.configure(poll={"interval": "100ms"}, index={"replicas": 0})
    made.succeed("migrate")
    return made


def _settings(elastic: Elastic) -> dict[str, object]:
    settings: dict[str, object] = {"hosts": [elastic.url]}
    if elastic.username:
        settings |= {"username": elastic.username, "password": elastic.password, "ca_certs": elastic.ca_certs}
    return settings


@pytest.fixture
def soak_seconds(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--soak-seconds"))
