"""The connection to Elasticsearch, made of settings."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from elastic_transport import AsyncTransport, Transport, TransportApiResponse
from elasticsearch import AsyncElasticsearch, Elasticsearch, OrjsonSerializer

from syncer.adapters.elastic.error import AnswerCut, CredentialsForgotten, translate_errors
from syncer.core.error import AccessDenied, ConfigurationError, FatalError

#: What `connect` and `connect_async` return, for those who only hand it on.
Client = Elasticsearch
AsyncClient = AsyncElasticsearch

_Made = TypeVar("_Made")

#: The oldest server whose answers are known: (major, minor).
OLDEST = (8, 15)

#: Bulks and searches at once; more wait for a connection.
_CONNECTIONS = 16

#: A header of every answer.
_PRODUCT = "x-elastic-product"

_FINGERPRINT = re.compile(r"(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ElasticConnection:
    """How to reach Elasticsearch, and as whom. What is empty counts as not given."""

    #: URLs with port; credentials have fields of their own.
    hosts: Sequence[str] = field(default=(), repr=False)
    cloud_id: str | None = None
    #: In the form that Elasticsearch calls `encoded`.
    api_key: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    #: A file of certificates in PEM format.
    ca_certs: str | None = None
    #: SHA-256 of the server's certificate or of one that signed it, in hexadecimal digits.
    certificate_fingerprint: str | None = None
    verify_certs: bool = True
    request_timeout_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """What answers."""

    product: str
    version: str


class _Json(OrjsonSerializer):
    """Twice as fast as the standard library, which reads what is left: a lone surrogate that a `json` column held."""

    def json_loads(self, data: bytes) -> Any:
        try:
            return super().json_loads(data)
        except ValueError:
            return json.loads(data)


class _Acquaintance:
    """Tells passing trouble from what does not pass, by what the server answered before.

    A secured server that starts answers 401 for some seconds, in the very words it has for a wrong password. Who was
    let in before takes that for passing trouble: else every restart of the server would end the daemon.

    An answer whose connection breaks within its headers passes for one with fewer headers and no body, which the client
    would take for the answer of another product.
    """

    def __init__(self) -> None:
        self._known = False

    def heard(self, method: str, answer: TransportApiResponse) -> TransportApiResponse:
        """Return the answer. Raises where it is not what it looks like."""
        status, headers = answer.meta.status, answer.meta.headers
        if status == 401 and self._known:
            raise CredentialsForgotten
        cut = (answer.body is None and method != "HEAD") or (self._known and _PRODUCT not in headers)
        if status < 300 and cut:
            raise AnswerCut
        self._known = self._known or status < 300
        return answer


class _Transport(Transport):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._server = _Acquaintance()

    def perform_request(self, method: str, *args: Any, **options: Any) -> TransportApiResponse:
        return self._server.heard(method, super().perform_request(method, *args, **options))


class _AsyncTransport(AsyncTransport):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._server = _Acquaintance()

    # An AsyncTransport is a Transport whose answers must be awaited, which is no subtype.
    async def perform_request(  # type: ignore[override]
        self, method: str, *args: Any, **options: Any
    ) -> TransportApiResponse:
        return self._server.heard(method, await super().perform_request(method, *args, **options))


def connect(connection: ElasticConnection, setting: str = "elasticsearch") -> Elasticsearch:
    """Return a client; nothing is sent yet. Safe for several threads.

    Raises ConfigurationError for settings that contradict each other or cannot be used.
    """
    return _made(connection, setting, lambda options: Elasticsearch(**options, transport_class=_Transport))


def connect_async(connection: ElasticConnection, setting: str = "elasticsearch") -> AsyncElasticsearch:
    """Return a client for the event loop that first uses it; see `connect`."""
    return _made(connection, setting, lambda options: AsyncElasticsearch(**options, transport_class=_AsyncTransport))


def _made(connection: ElasticConnection, setting: str, make: Callable[[dict[str, Any]], _Made]) -> _Made:
    options: dict[str, Any] = {
        "hosts": list(connection.hosts) or None,
        "cloud_id": connection.cloud_id or None,
        "request_timeout": connection.request_timeout_seconds,
        # The engine waits and tries again, interruptibly and from the checkpoint; the transport would at once.
        "max_retries": 0,
        "http_compress": False,
        "connections_per_node": _CONNECTIONS,
        "serializers": {"application/json": _Json()},
        "ssl_show_warn": False,
    }
    if connection.api_key:
        options["api_key"] = connection.api_key
    if connection.username:
        options["basic_auth"] = (connection.username, connection.password)
    if connection.ca_certs:
        options["ca_certs"] = connection.ca_certs
    if connection.certificate_fingerprint:
        options["ssl_assert_fingerprint"] = connection.certificate_fingerprint
    if not connection.verify_certs:
        options["verify_certs"] = False
    try:
        _check(connection, setting)
        return make(options)
    except ValueError as error:
        raise ConfigurationError(f"{setting}: {error}", hint=f"check the settings under {setting}") from error


def server(client: Elasticsearch) -> Server:
    """Return what answers. Raises ConfigurationError where that is not Elasticsearch, or an older one than OLDEST."""
    try:
        with translate_errors():
            number = str(client.info().body["version"]["number"])
    except AccessDenied:
        raise
    except FatalError as error:
        raise ConfigurationError(
            f"what answers is not Elasticsearch {OLDEST[0]}.{OLDEST[1]} or newer: {error.message}",
            hint="check elasticsearch.hosts",
        ) from error
    found = tuple(int(part) for part in number.split(".")[:2])
    if found < OLDEST:
        raise ConfigurationError(
            f"elasticsearch: the server is version {number}; syncer needs {OLDEST[0]}.{OLDEST[1]} or newer",
            hint="upgrade Elasticsearch",
        )
    return Server("Elasticsearch", number)


def _check(connection: ElasticConnection, setting: str) -> None:
    for broken, problem, hint in _rules(connection):
        if broken:
            raise ConfigurationError(f"{setting}: {problem}", hint=hint)
    if connection.ca_certs:
        try:
            ssl.create_default_context(cafile=connection.ca_certs)
        except OSError as error:
            raise ConfigurationError(
                f"{setting}: ca_certs {connection.ca_certs} cannot be read: {error.strerror}",
                hint="name a file of certificates in PEM format",
            ) from error


def _rules(c: ElasticConnection) -> list[tuple[bool, str, str]]:
    """Return (broken, problem, remedy). No value is quoted: a host may hold a password."""
    addresses = [urlsplit(host) for host in c.hosts]
    return [
        (bool(c.hosts) == bool(c.cloud_id), "give either hosts or cloud_id", ""),
        (
            any("@" in address.netloc for address in addresses),
            "hosts holds a user name or password",
            "write them in username and password",
        ),
        (
            any(address.scheme not in {"http", "https"} or not address.hostname for address in addresses),
            "hosts must be URLs",
            "write https://host:9200",
        ),
        (bool(c.api_key and c.username), "give either api_key or username and password", ""),
        (bool(c.username) != bool(c.password), "username and password belong together", "give both"),
        (
            bool(c.ca_certs and c.certificate_fingerprint),
            "give either ca_certs or certificate_fingerprint",
            "a fingerprint replaces the check of the chain",
        ),
        (
            not c.verify_certs and bool(c.ca_certs or c.certificate_fingerprint),
            "verify_certs is off, so that ca_certs or certificate_fingerprint would have no effect",
            "leave verify_certs out",
        ),
        (
            bool(c.ca_certs or c.certificate_fingerprint) and any(address.scheme != "https" for address in addresses),
            "ca_certs and certificate_fingerprint need https in every host",
            "write https://host:9200",
        ),
        (
            bool(c.certificate_fingerprint) and not _FINGERPRINT.fullmatch(str(c.certificate_fingerprint)),
            "certificate_fingerprint is not a SHA-256",
            "openssl x509 -fingerprint -sha256 -noout -in CERTIFICATE prints it",
        ),
    ]
