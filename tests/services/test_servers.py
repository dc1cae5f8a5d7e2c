"""The servers that other tests stand on."""

from __future__ import annotations

import psycopg
import pytest

from tests.conftest import Elastic
from tests.services.postgres import PostgresServer
from tests.services.proxy import ProxyFactory


def test_a_killed_postgres_comes_back_on_the_same_port_with_its_data(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """A committed row outlives a SIGKILL of the server, and its URL stays."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")

    postgres_server.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres_url)
    postgres_server.start()

    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]


def test_a_database_with_a_prepared_transaction_can_be_dropped(postgres_url: str) -> None:
    """What a test leaves prepared does not keep its database."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE half ()")
        connection.commit()
        connection.execute("LOCK half")
        connection.execute("PREPARE TRANSACTION 'half'")


def test_a_stopped_search_engine_comes_back_on_the_same_port_with_its_data(elastic: Elastic, index_prefix: str) -> None:
    """A document outlives a stop of the engine."""
    elastic.client.index(index=index_prefix, id="1", document={"one": 1})

    elastic.server.stop()
    elastic.server.start()

    assert elastic.client.get(index=index_prefix, id="1")["_source"] == {"one": 1}


def test_a_proxy_resets_refuses_holds_back_and_recovers(postgres_url: str, proxy: ProxyFactory) -> None:
    """Each way of breaking a connection is seen by the client, and ends."""
    broken = proxy(postgres_url)
    through = broken.url(postgres_url)
    with psycopg.connect(through) as connection:
        broken.reset()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")

    broken.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(through)

    broken.start()
    broken.black_hole()
    with pytest.raises(psycopg.OperationalError, match="timeout"):
        psycopg.connect(through, connect_timeout=2)

    broken.restore()
    psycopg.connect(through).close()
