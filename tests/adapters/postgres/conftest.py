"""A source database, an administrator's connection to it, and sessions like those of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from syncer.adapters.postgres.catalog import read_table
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.core.error import SourceUnavailable
from syncer.core.table import Table
from tests.adapters.postgres.noting import ITEM, PARTITIONED, install

#: Connects as another role; without one: as superuser.
OpenSession = Callable[..., Session]
ReadTable = Callable[..., Table]


@pytest.fixture(name="admin")
def _admin(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(name="open_session")
def _open_session(postgres_url: str) -> Iterator[OpenSession]:
    sessions: list[Session] = []

    def open_session(role: str | None = None) -> Session:
        session = Session(
            url_of(postgres_url, role),
            setting="source.url",
            settings=SOURCE_SETTINGS,
            unavailable=SourceUnavailable,
        )
        sessions.append(session)
        return session

    yield open_session
    for session in sessions:
        session.close()


@pytest.fixture(name="session")
def _session(open_session: OpenSession) -> Session:
    return open_session()


@pytest.fixture(name="read")
def _read(session: Session) -> ReadTable:
    """Reads a table as a pipeline's settings would, which the keyword arguments are."""

    def read(name: str = "item", **settings: Any) -> Table:
        defaults: dict[str, Any] = {
            "key": (),
            "watermark": "updated_at",
            "watermark_zone": None,
            "soft_delete": None,
            "where": None,
            "routing": None,
            "setting": "pipelines.items",
        }
        return read_table(session, name, **defaults | settings)

    return read


@pytest.fixture(name="role")
def _role(postgres_url: str, admin: psycopg.Connection[Any]) -> Iterator[str]:
    """A role that may do nothing but log in; it belongs to the server, not to the database."""
    name = f"plain_{conninfo_to_dict(postgres_url)['dbname']}"
    admin.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'plain'")
    yield name
    admin.execute(f'DROP OWNED BY "{name}"')
    admin.execute(f'DROP ROLE "{name}"')


@pytest.fixture(name="item")
def _item(admin: psycopg.Connection[Any], session: Session, read: ReadTable) -> Table:
    """Rows 1 to 5 of tenant a, whose deletes are noted."""
    admin.execute(ITEM)
    table = read()
    install(session, table)
    return table


@pytest.fixture(name="partitioned")
def _partitioned(admin: psycopg.Connection[Any], session: Session, read: ReadTable) -> Table:
    """Partitions on two levels, with rows 1, 2 and 11, 12."""
    admin.execute(PARTITIONED)
    table = read()
    install(session, table)
    return table


def url_of(url: str, role: str | None) -> str:
    """Return the URL with another role in it."""
    if role is None:
        return url
    parts = conninfo_to_dict(url)
    return f"postgresql://{role}:plain@{parts['host']}:{parts.get('port', 5432)}/{parts['dbname']}"
