"""A pipeline on an empty table of a real Postgres."""

from __future__ import annotations

import pytest

from tests.protocol.following import Following


@pytest.fixture
def following(postgres_url: str) -> Following:
    return Following(postgres_url)
