"""Whatever goes wrong, in the end the index equals the table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.fault import FAULTS
from tests.chaos.scenario import Scenario
from tests.conftest import Elastic
from tests.services.postgres import PostgresServer, create_database, drop_database
from tests.services.shifted_postgres import ShiftedPostgres


@pytest.fixture
def server(fault: str, request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """The Postgres of the session, or one of its own where the fault moves its clock."""
    if not FAULTS[fault].unsteady:
        yield request.getfixturevalue("postgres_server")
        return
    unsteady = ShiftedPostgres()
    unsteady.start()
    yield unsteady
    unsteady.delete()


def test_nothing_is_lost_stale_or_left_over(
    fault: str,
    seed: int,
    tmp_path: Path,
    server: PostgresServer,
    elastic: Elastic,
    index_prefix: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Random writers and one kind of fault; then every field of every row is compared."""
    source_url = create_database(server)
    try:
        result = Scenario(FAULTS[fault], seed, tmp_path, server, source_url, elastic).run(index_prefix)
    finally:
        drop_database(server, source_url)
    with capsys.disabled():
        print(f"\n{result}", end=" ")
    assert not result.explanation, result.explanation
