"""A secured Elasticsearch: who may come in, over which connection, and what he needs to be allowed.

The environment names the server and somebody who may create API keys:

    SYNCER_TEST_ELASTICSEARCH_SECURE_URL, _USERNAME, _PASSWORD, _CA_CERTS
"""

from __future__ import annotations

import hashlib
import os
import ssl
import struct
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.client import ElasticConnection, connect, server
from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.limit import read_limits
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.privilege import to_write
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.elastic.search.searcher import ElasticSearcher
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.memory.clock import MemoryClock
from syncer.core.change import Document, Draft, Removal, Write
from syncer.core.error import AccessDenied, CredentialsRefused, SinkUnavailable
from syncer.core.field import Field, VectorField
from syncer.core.index import write_alias
from syncer.core.outcome import Applied
from syncer.core.search.request import Mode, Request

#: What syncer needs for a pipeline whose `index.alias` is `articles`; docs/operation.md has the same.
LEAST_PRIVILEGES = to_write(["articles"], ages=False)

FIELDS = [Field("title", "title", "text")]
VECTORS = [VectorField("v", "{title}", 2)]


def setting(name: str) -> str:
    value = os.environ.get(f"SYNCER_TEST_ELASTICSEARCH_SECURE_{name}")
    if not value:
        pytest.skip(f"needs a secured Elasticsearch: set SYNCER_TEST_ELASTICSEARCH_SECURE_{name}")
    return value


@pytest.fixture
def secure() -> dict[str, Any]:
    """Host and CA file of the secured server."""
    return {"hosts": (setting("URL"),), "ca_certs": setting("CA_CERTS")}


@pytest.fixture
def login(secure: dict[str, Any]) -> dict[str, Any]:
    return {"username": setting("USERNAME"), "password": setting("PASSWORD")}


@pytest.fixture
def admin(secure: dict[str, Any], login: dict[str, Any]) -> Iterator[Elasticsearch]:
    with connect(ElasticConnection(**secure, **login)) as client:
        yield client


@pytest.fixture
def alias(admin: Elasticsearch) -> Iterator[str]:
    alias = f"syncer-test-{uuid4().hex[:12]}"
    yield alias
    for name in admin.indices.get_alias(index=f"{alias}*"):
        admin.indices.delete(index=name, ignore_unavailable=True)


def api_key(admin: Elasticsearch, descriptor: dict[str, Any]) -> tuple[str, str]:
    made = admin.security.create_api_key(name="syncer-test", expiration="1h", role_descriptors={"syncer": descriptor})
    return made["id"], made["encoded"]


def for_alias(alias: str, without: str | None = None) -> dict[str, Any]:
    """Return the least privileges for another alias, one of them left out."""
    privileges = [name for name in LEAST_PRIVILEGES["indices"][0]["privileges"] if name != without]
    cluster = [name for name in LEAST_PRIVILEGES["cluster"] if name != without]
    return {"cluster": cluster, "indices": [{"names": [alias, f"{alias}-*"], "privileges": privileges}]}


def everything(client: Elasticsearch, alias: str) -> None:
    """Do all that syncer does with a server, once."""
    name = f"{alias}-1"
    server(client)
    read_limits(client)
    indices = ElasticIndices(client, mapping(FIELDS, VECTORS), IndexSettings(shards=2, replicas=0))
    indices.create(name, {"pipeline": "articles"})
    indices.create(name, {"pipeline": "articles"})
    indices.identity(name)
    assert len(indices.shards(name).others(("1",), None)) == 1
    writes: list[Write] = [
        Document(Draft(("1",), '{"title": "hello"}', 1, {}), {"v": struct.pack("<2f", 1.0, 0.0)}, 1),
        Removal(("2",), 1),
    ]
    assert ElasticSink(client, write_alias(name)).write(writes) == [Applied(created=True), Applied()]
    client.indices.refresh(index=name)
    assert indices.count(name) == 1
    indices.extend(name, {"pipeline": "articles"})
    indices.restore(name)
    assert indices.health(name).green
    indices.prove_alias(alias, "articles")
    client.indices.create(index=alias)
    indices.publish(name, alias, take_over=True)
    indices.publish(name, alias)
    assert indices.targets(alias).just(name)
    assert indices.statistics([name, f"{alias}-2"])[name].documents == 1
    searched = Searched(alias, FIELDS, VECTORS)
    searcher = ElasticSearcher(client, searched, lambda _: struct.pack("<2f", 1.0, 0.0), MemoryClock())
    assert [hit.id for hit in searcher.search(Request("hello")).hits] == ["1"]
    assert searcher.search(Request("hello", Mode.KEYWORD, paged=True)).total == 1
    indices.delete(name)


def test_a_password_and_the_authority_let_in(secure: dict[str, Any], login: dict[str, Any]) -> None:
    """Over TLS, verified by the CA file."""
    with connect(ElasticConnection(**secure, **login)) as client:
        assert server(client).product == "Elasticsearch"


def test_a_fingerprint_stands_for_the_authority(secure: dict[str, Any], login: dict[str, Any]) -> None:
    """With and without colons; another one is refused, with the settings that would mend it."""
    with open(secure["ca_certs"]) as file:
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()
    for fingerprint in (digest, ":".join(digest[i : i + 2] for i in range(0, 64, 2)).upper()):
        trusting = ElasticConnection(secure["hosts"], certificate_fingerprint=fingerprint, **login)
        with connect(trusting) as client:
            assert server(client).product == "Elasticsearch"
    wrong = ElasticConnection(secure["hosts"], certificate_fingerprint="ab" * 32, **login)
    with connect(wrong) as client, pytest.raises(SinkUnavailable, match="certificate is not trusted") as refused:
        server(client)
    assert "certificate_fingerprint" in refused.value.hint


def test_a_server_that_nothing_vouches_for_is_not_spoken_to(secure: dict[str, Any], login: dict[str, Any]) -> None:
    """Certificates are verified unless that is switched off."""
    with (
        connect(ElasticConnection(secure["hosts"], **login)) as client,
        pytest.raises(SinkUnavailable, match="certificate is not trusted") as refused,
    ):
        server(client)
    assert "ca_certs" in refused.value.hint
    with connect(ElasticConnection(secure["hosts"], verify_certs=False, **login)) as client:
        assert server(client).product == "Elasticsearch"


@pytest.mark.parametrize(
    "wrong", [{"username": "elastic", "password": "wrong-secret"}, {"api_key": "d3Jvbmc6c2VjcmV0"}]
)
def test_whom_the_server_does_not_know_is_told_so(secure: dict[str, Any], wrong: dict[str, Any]) -> None:
    """In one line that names the settings and not the secret."""
    with (
        connect(ElasticConnection(**secure, **wrong)) as client,
        pytest.raises(CredentialsRefused, match="unable to authenticate") as refused,
    ):
        server(client)
    assert "\n" not in refused.value.message
    assert all(setting in refused.value.hint for setting in ("elasticsearch.password", "elasticsearch.api_key"))
    assert wrong.get("password", wrong.get("api_key", "")) not in str(refused.value)


def test_the_least_privileges_are_enough(secure: dict[str, Any], admin: Elasticsearch, alias: str) -> None:
    """For everything that syncer does, with an API key."""
    _, key = api_key(admin, for_alias(alias))
    with connect(ElasticConnection(**secure, api_key=key)) as client:
        everything(client, alias)


@pytest.mark.parametrize("missing", ["monitor", "manage", "index", "delete", "read"])
def test_each_of_the_least_privileges_is_needed(
    secure: dict[str, Any], admin: Elasticsearch, alias: str, missing: str
) -> None:
    """Without it, access is denied, in the server's words: they name the privilege that would grant it."""
    _, key = api_key(admin, for_alias(alias, without=missing))
    with (
        connect(ElasticConnection(**secure, api_key=key)) as client,
        pytest.raises(AccessDenied, match=rf"granted by the (?:index|cluster) privileges \[.*\b{missing}\b"),
    ):
        everything(client, alias)


def test_a_key_that_is_taken_away_is_not_known_any_more(secure: dict[str, Any], admin: Elasticsearch) -> None:
    """Who was let in before waits, for a starting server says the same; who comes anew is refused."""
    name, key = api_key(admin, {"cluster": ["monitor"]})
    with connect(ElasticConnection(**secure, api_key=key)) as client:
        server(client)
        admin.security.invalidate_api_key(ids=[name])
        with pytest.raises(SinkUnavailable, match="took before"):
            server(client)
    with connect(ElasticConnection(**secure, api_key=key)) as client, pytest.raises(CredentialsRefused):
        server(client)
