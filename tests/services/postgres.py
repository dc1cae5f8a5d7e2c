"""Postgres for tests: the embedded one, any installation's, a container's, or one that is there."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import LiteralString, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from syncer.app.demo.embedded import EmbeddedPostgres

#: What tests need beyond the defaults; nothing of it must survive a crash of the machine.
SETTINGS = {
    "fsync": "off",
    "max_connections": "200",
    "max_prepared_transactions": "64",
    "wal_level": "logical",
    "track_activities": "on",
}


class PostgresServer(Protocol):
    """A server that tests may create databases in; stop, kill and restart skip the test where it is not ours."""

    def url(self, database: str = "postgres") -> str: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def restart(self) -> None: ...


class OwnPostgres(EmbeddedPostgres):
    """A server in a temporary folder on a free port, gone with the test process."""

    def __init__(self, bin_dir: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(
            Path(tempfile.mkdtemp(prefix="syncer-postgres-")),
            bin_dir=bin_dir,
            settings={**SETTINGS, **(settings or {})},
        )

    def kill(self) -> None:
        """SIGKILL the postmaster and its children at once, as a crash of the machine would."""
        postmaster = psutil.Process(int((self.directory / "data" / "postmaster.pid").read_text().split()[0]))
        family = [postmaster, *postmaster.children()]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)
        self.stop()

    def restart(self) -> None:
        """Stop it cleanly, which ends every session, and start it on the same port."""
        self.stop()
        self.start()

    def delete(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class ForeignPostgres:
    """A server that somebody else runs."""

    def __init__(self, url: str) -> None:
        """url: a superuser's."""
        self._url = url

    def url(self, database: str = "postgres") -> str:
        """Return the superuser's URL."""
        return urlsplit(self._url)._replace(path=f"/{database}").geturl()

    def start(self) -> None: ...

    def stop(self) -> None:
        pytest.skip("the Postgres of SYNCER_TEST_POSTGRES_URL is not ours to stop")

    def kill(self) -> None:
        self.stop()

    def restart(self) -> None:
        self.stop()


def create_database(server: PostgresServer, options: LiteralString = "") -> str:
    """Return the URL of a new, empty database; options: of CREATE DATABASE."""
    name = f"syncer_test_{uuid4().hex[:12]}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 {}")
    _execute(server, create.format(sql.Identifier(name), sql.SQL(options)))
    return server.url(name)


def drop_database(server: PostgresServer, url: str) -> None:
    """Drop it, whoever is connected; prepared transactions are rolled back."""
    with psycopg.connect(url, autocommit=True) as connection:
        prepared = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
        for (gid,) in connection.execute(prepared).fetchall():
            connection.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(gid)))
    name = str(conninfo_to_dict(url)["dbname"])
    _execute(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def bin_dir() -> Path | None:
    """Return the installation to run, or None for the embedded one."""
    chosen = os.environ.get("SYNCER_TEST_POSTGRES_BIN")
    return Path(chosen) if chosen else None


def _execute(server: PostgresServer, statement: sql.Composed) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement)
