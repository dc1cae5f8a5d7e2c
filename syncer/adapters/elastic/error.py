"""What Elasticsearch's answers, and its silence, mean in the errors of `core.error`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

from elastic_transport import ApiError, TlsError, TransportError
from elasticsearch import UnsupportedProductError

from syncer.core.error import (
    AccessDenied,
    ConfigurationError,
    CredentialsRefused,
    FatalError,
    IndexMissing,
    SinkUnavailable,
    SyncerError,
)

#: Statuses that pass by themselves: an overload, a restart, a proxy without a server behind it.
_PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})

#: What is wrong with the index or with us, though it may be said of a single row of a bulk: never a dead letter.
NOT_OF_A_ROW = frozenset({"index_not_found_exception", "index_closed_exception", "security_exception"})


_GRANT = "grant this privilege to the user or API key: `syncer grants` prints the least that are needed"

_BLOCKED = (
    "where a disk is full it goes by itself when there is room, see `syncer cluster`; else somebody has blocked the "
    'index: PUT /INDEX/_settings {"index.blocks.NAME": null}'
)


class CredentialsForgotten(TransportError):
    """The server refuses credentials that it took before."""

    def __init__(self) -> None:
        super().__init__("the server refuses the credentials that it took before: it starts, or they were changed")


class AnswerCut(TransportError):
    """The connection broke within the headers of an answer."""

    def __init__(self) -> None:
        super().__init__("the answer broke off")


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise what the client raises as a SyncerError."""
    try:
        yield
    except (ApiError, TransportError) as error:  # an ApiError is not a TransportError
        raise translate(error) from error


def translate(error: ApiError | TransportError) -> SyncerError:
    """Return the error of `core.error` that a client's error means."""
    if isinstance(error, UnsupportedProductError):
        return ConfigurationError(
            "elasticsearch: the server is not Elasticsearch", hint="check elasticsearch.hosts; forks are not supported"
        )
    if isinstance(error, ApiError):
        kind, reason = cause(error.body)
        return failure(error.meta.status, kind, reason, retry_after(error))
    return _unreachable(error)


def failure(status: int, kind: str, reason: str, retry_after: float | None = None) -> SyncerError:
    """Return the error that a refused call means; kind: `error.type`."""
    said = _one_line(reason or kind) or f"status {status}"
    if status == 401:
        return CredentialsRefused(
            f"elasticsearch: {said}",
            hint="check elasticsearch.username and elasticsearch.password, or elasticsearch.api_key",
        )
    if kind == "cluster_block_exception" or status in _PASSING_STATUS:
        hint = _BLOCKED if kind == "cluster_block_exception" else ""
        return SinkUnavailable(f"elasticsearch: {said}", hint=hint, retry_after=retry_after)
    if kind == "security_exception" or status == 403:
        return AccessDenied(f"elasticsearch: {said}", hint=_GRANT)
    if kind == "index_not_found_exception":
        return IndexMissing(f"elasticsearch: {said}", hint="it was deleted, or never built: syncer rebuild PIPELINE")
    if kind == "index_closed_exception":
        return FatalError(
            f"elasticsearch: {said}",
            hint="open it: POST /INDEX/_open; then start syncer run again",
        )
    return FatalError(f"elasticsearch: {said} (status {status})")


def cause(body: Any) -> tuple[str, str]:
    """Return type and reason of an answer's error, with the reason behind it where that says more."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", _one_line(str(error or ""))
    reason = str(error.get("reason") or "")
    if error.get("type") == "index_closed_exception":
        reason = f"index {error.get('index')} is closed"
    # Where each shard says why, the whole says only that all of them failed.
    behind = error.get("caused_by") or next(iter(error.get("root_cause") or ()), None)
    while isinstance(behind, dict):
        deeper = str(behind.get("reason") or "")
        if deeper and deeper not in reason:
            reason = f"{reason}: {deeper}"
        behind = behind.get("caused_by")
    # Where a primary is away the server quotes the request, and with it documents.
    return str(error.get("type") or ""), _one_line(reason.partition(", request: [")[0])


def retry_after(error: ApiError) -> float | None:
    """Return how many seconds the server asked to be left alone, if it did.

    A date is compared with the answer's own. Without one it is not read: our clock may be far from the server's.
    """
    headers = error.meta.headers
    asked = headers.get("retry-after") or ""
    if asked.isdecimal():
        return float(asked)
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("date") or "")
    except (ValueError, OverflowError, TypeError):  # the last one for a date with a zone less one without
        return None
    return max(0.0, wait.total_seconds())


def _unreachable(error: TransportError) -> SinkUnavailable:
    said = _one_line(str(error.message))
    if isinstance(error, CredentialsForgotten):
        return SinkUnavailable(f"elasticsearch: {said}", hint="if it goes on: check user, password or key, and restart")
    if isinstance(error, TlsError) and ("certificate" in said or "ingerprint" in said):
        return SinkUnavailable(
            f"elasticsearch: the server's TLS certificate is not trusted: {said}",
            hint="name the authority that signed it in elasticsearch.ca_certs, "
            "or its SHA-256 in elasticsearch.certificate_fingerprint",
        )
    return SinkUnavailable(
        f"elasticsearch: {said}", hint="check elasticsearch.hosts, and that the server runs and is reachable"
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
