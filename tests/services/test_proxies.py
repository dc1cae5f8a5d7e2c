"""The proxies that break connections for other tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from elastic_transport import ConnectionTimeout
from elasticsearch import ApiError, Elasticsearch
from elasticsearch import ConnectionError as Disconnected

from tests.acceptance.installation import eventually
from tests.conftest import Elastic
from tests.services.bulk_proxy import BulkProxy, Mood
from tests.services.proxy import ProxyFactory, Way


@pytest.fixture(name="bulk_proxy")
def _bulk_proxy(elastic: Elastic) -> Iterator[BulkProxy]:
    made = BulkProxy(elastic.url, 1, elastic.ca_certs)
    yield made
    made.close()


@pytest.fixture(name="client")
def _client(elastic: Elastic, bulk_proxy: BulkProxy) -> Iterator[Elasticsearch]:
    login = (elastic.username, elastic.password or "") if elastic.username else None
    with Elasticsearch(bulk_proxy.url, basic_auth=login, request_timeout=2, max_retries=0) as client:
        yield client


def bulk(client: Elasticsearch, index: str, keys: int = 20) -> list[int]:
    """Index some documents in one request, and return the status of each."""
    lines = [line for key in range(keys) for line in ({"index": {"_id": str(key)}}, {"key": key})]
    answer = client.bulk(index=index, operations=lines, refresh=True)
    assert [item["index"]["_id"] for item in answer["items"]] == [str(key) for key in range(keys)]
    return [item["index"]["status"] for item in answer["items"]]


def indexed(elastic: Elastic, index: str) -> int:
    """Return how many documents there are."""
    elastic.client.indices.refresh(index=index)
    return int(elastic.client.count(index=index)["count"])


def test_a_fair_proxy_changes_nothing(elastic: Elastic, client: Elasticsearch, index_prefix: str) -> None:
    """All is applied, and answered for."""
    assert bulk(client, index_prefix) == [201] * 20
    assert indexed(elastic, index_prefix) == 20


def test_refused_items_do_not_reach_the_server(
    elastic: Elastic, bulk_proxy: BulkProxy, client: Elasticsearch, index_prefix: str
) -> None:
    """The others do, and the answers keep their order."""
    bulk_proxy.mood = Mood(item_refused=0.5, statuses=(429,))
    answered = bulk(client, index_prefix)
    assert set(answered) == {201, 429}
    assert indexed(elastic, index_prefix) == answered.count(201)


def test_belied_items_are_applied(
    elastic: Elastic, bulk_proxy: BulkProxy, client: Elasticsearch, index_prefix: str
) -> None:
    """Whatever is said of them."""
    bulk_proxy.mood = Mood(item_belied=1, statuses=(503,))
    assert bulk(client, index_prefix) == [503] * 20
    assert indexed(elastic, index_prefix) == 20


def test_a_refused_request_says_when_to_come_back(bulk_proxy: BulkProxy, client: Elasticsearch) -> None:
    """By a header, where it is told to."""
    bulk_proxy.mood = Mood(refused=1, statuses=(503,), retry_after=("7",))
    with pytest.raises(ApiError) as refused:
        client.info()
    assert (refused.value.meta.status, refused.value.meta.headers["retry-after"]) == (503, "7")


@pytest.mark.parametrize("mood", [Mood(unanswered=1), Mood(late=1)], ids=["unanswered", "late"])
def test_what_is_not_answered_is_applied_nevertheless(
    elastic: Elastic, bulk_proxy: BulkProxy, client: Elasticsearch, index_prefix: str, mood: Mood
) -> None:
    """At once, or when nobody expects it any more."""
    bulk_proxy.mood = mood
    with pytest.raises(Disconnected):
        bulk(client, index_prefix)
    bulk_proxy.calm()
    assert indexed(elastic, index_prefix) == 20


def test_a_silent_proxy_lets_the_client_wait(bulk_proxy: BulkProxy, client: Elasticsearch) -> None:
    """Until it gives up."""
    bulk_proxy.mood = Mood(silent=1)
    with pytest.raises(ConnectionTimeout):
        client.options(request_timeout=0.5).info()


def test_a_proxy_cuts_an_answer_short_once(postgres_url: str, proxy: ProxyFactory) -> None:
    """The next connection is well."""
    cutting = proxy(postgres_url)
    with psycopg.connect(cutting.url(postgres_url)) as connection:
        cutting.truncate(1000, Way.ANSWER)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT repeat('x', 100000)")
    psycopg.connect(cutting.url(postgres_url)).close()


def test_a_black_hole_may_swallow_one_direction(postgres_url: str, proxy: ProxyFactory) -> None:
    """What the client sends arrives; what the server says does not, until the end of it."""
    swallowing = proxy(postgres_url)
    with (
        psycopg.connect(swallowing.url(postgres_url), autocommit=True) as connection,
        psycopg.connect(postgres_url, autocommit=True) as direct,
    ):
        swallowing.black_hole(Way.ANSWER)
        asking = threading.Thread(target=connection.execute, args=("CREATE TABLE made ()",))
        asking.start()
        eventually(lambda: direct.execute("SELECT to_regclass('made')").fetchone() == ("made",), "the table")
        assert asking.is_alive()
        swallowing.restore()
        asking.join(10)
        assert not asking.is_alive()
