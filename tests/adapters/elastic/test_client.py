"""The connection to Elasticsearch."""

from __future__ import annotations

import asyncio
from threading import Event
from typing import Any

import pytest

from syncer.adapters.elastic.client import ElasticConnection, connect, connect_async, server
from syncer.adapters.elastic.error import CredentialsForgotten, translate_errors
from syncer.core.error import ConfigurationError, CredentialsRefused, FatalError, SinkUnavailable, SyncerError
from tests.adapters.elastic.scripted import Answer, Request, scripted
from tests.conftest import Elastic

JSON = {"content-type": "application/json", "accept": "application/json"}
HOSTS = ("https://localhost:9200",)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({}, "hosts"),
        ({"hosts": HOSTS, "cloud_id": "a:b"}, "cloud_id"),
        ({"hosts": HOSTS, "api_key": "k", "username": "u", "password": "p"}, "api_key"),
        ({"hosts": HOSTS, "username": "u"}, "password"),
        ({"hosts": HOSTS, "password": "p"}, "username"),
        ({"hosts": ("localhost:9200",)}, "hosts"),
        ({"hosts": ("http://localhost",)}, "port"),
        ({"hosts": ("https://[::1",)}, "search"),
        ({"cloud_id": "nonsense"}, "Cloud ID"),
        ({"hosts": HOSTS, "ca_certs": "/nowhere.pem"}, "/nowhere.pem"),
        ({"hosts": HOSTS, "ca_certs": __file__, "certificate_fingerprint": "ab" * 32}, "ca_certs"),
        ({"hosts": HOSTS, "ca_certs": __file__, "verify_certs": False}, "verify_certs"),
        ({"hosts": ("http://localhost:9200",), "ca_certs": __file__}, "https"),
        ({"hosts": HOSTS, "ca_certs": __file__}, "test_client.py"),
        ({"hosts": HOSTS, "certificate_fingerprint": "ab" * 20}, "certificate_fingerprint"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    """Before anything is sent, with the section and the setting in the message."""
    with pytest.raises(ConfigurationError, match=named) as refused:
        connect(ElasticConnection(**wrong), setting="search")
    assert refused.value.message.startswith("search:")


def test_what_is_empty_counts_as_not_given() -> None:
    """A variable that is not set arrives as an empty text."""
    empty = ElasticConnection(hosts=HOSTS, cloud_id="", api_key="", username="", password="", ca_certs="")
    connect(empty).close()


def test_secrets_are_in_no_repr_and_no_message() -> None:
    """Neither a password of its own nor one in a host, which is refused."""
    connection = ElasticConnection(hosts=("https://me:hunter2@localhost:9200",), password="hunter2", api_key="hunter2")
    with pytest.raises(ConfigurationError, match="username and password") as refused:
        connect(connection)
    assert "hunter2" not in repr(connection) + str(refused.value)


def test_the_server_says_what_it_is(elastic: Elastic) -> None:
    """Product and version of a server that can be used."""
    with connect(ElasticConnection(hosts=(elastic.url,), **_login(elastic))) as client:
        found = server(client)
    assert found.product == "Elasticsearch"
    assert found.version == elastic.client.info()["version"]["number"]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (Answer(200, {"version": {"number": "8.14.3"}}), ConfigurationError, r"8\.14\.3.*8\.15 or newer"),
        (Answer(200, {"version": {"number": "9.0.0"}}, {"X-Elastic-Product": "no"}), ConfigurationError, "not Elastic"),
        (Answer(404, "<html>", {"Content-Type": "text/html"}), ConfigurationError, "not Elasticsearch"),
        (Answer(401, {"error": {"type": "security_exception", "reason": "who?"}}), CredentialsRefused, "who"),
        (Answer(503, {"error": {"type": "x", "reason": "soon"}}), SinkUnavailable, "soon"),
        (Answer(None), SinkUnavailable, "elasticsearch"),
    ],
)
def test_a_server_that_cannot_be_used_is_refused(answer: Answer, error: type[SyncerError], said: str) -> None:
    """Too old, something else, not for us, not now: each in its group of errors."""
    with (
        scripted(lambda _: answer) as url,
        connect(ElasticConnection(hosts=(url,))) as client,
        pytest.raises(error, match=said) as refused,
    ):
        server(client)
    assert type(refused.value) is error


def test_a_server_that_let_us_in_may_be_starting() -> None:
    """Then it refuses everybody for a while, in the words of a wrong password: that passes by itself."""
    unknown = Answer(401, {"error": {"type": "security_exception", "reason": "unable to authenticate"}})
    answers = iter(
        [Answer(200, {"version": {"number": "9.0.0"}}), unknown, Answer(200, {"version": {"number": "9.0.0"}})]
    )
    with scripted(lambda _: next(answers)) as url, connect(ElasticConnection(hosts=(url,))) as client:
        server(client)
        with pytest.raises(SinkUnavailable, match="credentials"):
            server(client.options(max_retries=0))
        assert server(client).version == "9.0.0"


def test_a_client_of_an_event_loop_takes_the_same_settings_and_care() -> None:
    """What contradicts itself is refused; and a server that let us in may be starting."""
    with pytest.raises(ConfigurationError, match="api_key"):
        connect_async(ElasticConnection(hosts=HOSTS, api_key="k", username="u", password="p"))
    unknown = Answer(401, {"error": {"type": "security_exception", "reason": "unable to authenticate"}})
    known = Answer(200, {"version": {"number": "9.0.0"}})
    answers = iter([known, unknown, known])

    async def asked(url: str) -> None:
        async with connect_async(ElasticConnection(hosts=(url,), username="u", password="p")) as client:
            await client.info()
            with pytest.raises(CredentialsForgotten):
                await client.info()
            assert (await client.info())["version"]["number"] == "9.0.0"

    with scripted(lambda _: next(answers)) as url:
        asyncio.run(asked(url))


def test_a_host_where_nothing_listens_is_unavailable() -> None:
    """One line that names the address and the setting; passing trouble, for it may be starting."""
    with (
        connect(ElasticConnection(hosts=("http://127.0.0.1:9",))) as client,
        pytest.raises(SinkUnavailable, match=r"127\.0\.0\.1.*refused") as away,
    ):
        server(client)
    assert "\n" not in away.value.message
    assert "elasticsearch.hosts" in away.value.hint


def test_a_slow_server_is_unavailable() -> None:
    """A request that takes longer than the setting allows is given up."""

    given_up = Event()

    def silent(_: Request) -> Answer:
        given_up.wait(10)
        return Answer(None)

    with scripted(silent) as url, connect(ElasticConnection(hosts=(url,), request_timeout_seconds=0.2)) as client:
        with pytest.raises(SinkUnavailable, match="timed out"):
            server(client)
        given_up.set()


def test_a_wait_that_the_server_asks_for_is_passed_on() -> None:
    """`Retry-After`, in the error."""
    answer = Answer(429, {"error": {"type": "x", "reason": "y"}}, {"Retry-After": "7"})
    with (
        scripted(lambda _: answer) as url,
        connect(ElasticConnection(hosts=(url,))) as client,
        pytest.raises(SinkUnavailable) as away,
        translate_errors(),
    ):
        client.info()
    assert away.value.retry_after == 7.0


def test_an_answer_that_fits_no_group_stops_the_pipeline() -> None:
    """With status, type or reason, and the reason behind it."""
    body = {"error": {"type": "odd", "reason": "outer", "caused_by": {"type": "x", "reason": "inner"}}}
    with (
        scripted(lambda _: Answer(400, body)) as url,
        connect(ElasticConnection(hosts=(url,))) as client,
        pytest.raises(FatalError, match=r"outer: inner.*400"),
        translate_errors(),
    ):
        client.indices.refresh(index="x")


def test_a_document_with_half_a_character_can_be_read(real_elastic: Elastic, index_prefix: str) -> None:
    """A `json` column may hold a lone surrogate; the server keeps it, and one such document must not end a search."""
    with connect(ElasticConnection(hosts=(real_elastic.url,), **_login(real_elastic))) as client:
        client.perform_request("POST", f"/{index_prefix}-1/_doc/1?refresh=true", headers=JSON, body=b'{"t":"\\ud800"}')
        found = client.search(index=f"{index_prefix}-1")
    assert found["hits"]["hits"][0]["_source"] == {"t": "\ud800"}


def _login(elastic: Elastic) -> dict[str, Any]:
    return {"username": elastic.username, "password": elastic.password, "ca_certs": elastic.ca_certs}
