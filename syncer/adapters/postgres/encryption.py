"""How a connection to Postgres is guarded on its way, as the client knows it."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from sqlalchemy import text

from syncer.adapters.postgres.session import Session

_BY_KERBEROS = text("SELECT encrypted FROM pg_stat_gssapi WHERE pid = pg_backend_pid()")


@dataclass(frozen=True, slots=True)
class Encryption:
    """What others on the way could do."""

    #: Where it leads, as configured; a folder for a socket of this machine.
    host: str
    #: They cannot read it.
    encrypted: bool
    #: They cannot stand in for the server.
    proven: bool


def encryption(session: Session) -> Encryption:
    """Return how a session's connection is guarded. Behind a proxy: the way to the proxy."""
    with session.use() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        options = {option.keyword: option.val for option in driver.pgconn.info}
        by_tls = driver.pgconn.ssl_in_use
        by_kerberos = not by_tls and bool(connection.scalar(_BY_KERBEROS))
        host = driver.info.host
    # With channel binding the server shows that it knows the password's hash, over this very connection.
    proves = options.get(b"sslmode") == b"verify-full" or options.get(b"channel_binding") == b"require"
    return Encryption(host, encrypted=by_tls or by_kerberos, proven=by_kerberos or (by_tls and proves))
