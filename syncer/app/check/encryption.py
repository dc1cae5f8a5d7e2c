"""What others could read, or pretend to be, on the way to a server."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from syncer.adapters.postgres.encryption import Encryption
from syncer.app.check.finding import Finding, Severity, advice
from syncer.app.serve_settings import reached_from_elsewhere
from syncer.app.settings import Settings


def database_on_the_way(setting: str, found: Encryption) -> Iterator[Finding]:
    """Look at a connection to Postgres; one that does not leave this machine is nobody else's business."""
    if found.proven or found.host.startswith(("/", "@")) or not found.host or not reached_from_elsewhere(found.host):
        return
    if found.encrypted:
        what = f"nothing proves that {found.host} is the server that is meant: sslmode is not verify-full"
        consequence = "who can redirect the connection gets the password and the rows"
    else:
        what = f"the connection to {found.host} is not encrypted"
        consequence = "who can listen on the way reads the rows, and who can redirect it gets the password"
    yield advice(
        setting,
        what,
        consequence,
        # Not sslrootcert=system: libpq as psycopg brings it looks for the system's authorities where there are none.
        "add ?sslmode=verify-full&sslrootcert=FILE, with the authority that signed the server's certificate: where it "
        "is a public one, /etc/ssl/certs/ca-certificates.crt on most systems",
    )


def search_on_the_way(settings: Settings) -> Iterator[Finding]:
    """Look at how Elasticsearch is reached."""
    of = settings.elasticsearch
    for number, host in enumerate(of.hosts):
        if _plain(host):
            yield advice(
                f"elasticsearch.hosts[{number}]",
                f"requests to {host} are not encrypted",
                "who can listen on the way reads credentials and documents",
                "write https://, with ca_certs or certificate_fingerprint where the system does not trust the server's",
            )
    if not of.verify_certs:
        yield Finding(
            Severity.WARNING,
            "elasticsearch.verify_certs",
            "any certificate is trusted",
            "who can redirect the connection gets credentials and documents",
            "leave verify_certs out; name the authority in ca_certs, or the certificate in certificate_fingerprint",
        )


def model_server_on_the_way(settings: Settings) -> Iterator[Finding]:
    """Look at how the server of the model is reached."""
    url = settings.embedding.url
    if url and _plain(url):
        yield advice(
            "embedding.url",
            f"requests to {url} are not encrypted",
            "who can listen on the way reads the texts, and the key",
            "write https://",
        )


def webhook_on_the_way(settings: Settings) -> Iterator[Finding]:
    """Look at who is told of alerts, and how."""
    url = settings.alerts.webhook.url
    if url and _plain(url.get_secret_value()):
        yield advice(
            "alerts.webhook.url",
            # Not the whole of it: its path may be what lets in.
            f"requests to {urlsplit(url.get_secret_value()).hostname} are not encrypted",
            "who can listen on the way reads the headers, and the alerts",
            "write https://",
        )


def _plain(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and reached_from_elsewhere(parts.hostname or "")
