"""Databases to which nobody is let in but by what `syncer grants` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from syncer.adapters.postgres.grant import Grant, lacking, to_keep_state, to_prune, to_read
from syncer.adapters.postgres.session import Session
from syncer.core.error import SourceUnavailable
from tests.app.deployment import Deployment
from tests.conftest import Elastic

TABLES = """
CREATE SCHEMA shop;
CREATE TABLE shop.authors (
    id bigint PRIMARY KEY, name text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE shop.articles (
    id bigint PRIMARY KEY, title text NOT NULL, price text, author_id bigint REFERENCES shop.authors,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON shop.articles (updated_at, id);
CREATE INDEX ON shop.articles (author_id);
CREATE INDEX ON shop.authors (updated_at, id);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON shop.articles FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER touch BEFORE UPDATE ON shop.authors FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO shop.authors VALUES (1, 'Ada');
INSERT INTO shop.articles VALUES (1, 'apple', '3', 1), (2, 'pear', '4', 1), (3, 'plum', 'dear', 1);
"""

#: As a careful administrator leaves a database to whom nothing is granted.
CLOSED = "REVOKE ALL ON DATABASE {name} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC"

PIPELINE: Mapping[str, Any] = {
    "table": "shop.articles",
    "where": "title <> 'secret'",
    "fields": {"title": "text", "price": "integer", "author": {"relation": "author"}},
    "relations": {"author": {"table": "shop.authors", "on": {"author_id": "id"}, "columns": ["name"]}},
}


@dataclass
class Granted:
    """Two databases to which nobody is let in but by what `syncer grants` prints."""

    folder: Path
    source: str
    state: str
    elastic: Elastic
    prefix: str
    owner: str
    runner: str
    reader: str

    def deployment(self, capfd: pytest.CaptureFixture[str]) -> Deployment:
        return Deployment(self.folder, self.source, self.elastic, self.prefix, capfd)

    def sql(self, statements: str, *, state: bool = False) -> None:
        with psycopg.connect(self.state if state else self.source, autocommit=True) as connection:
            connection.execute(statements.encode())

    def configure(self, deployment: Deployment, role: str | None) -> None:
        """Let the commands log in as a role; None: as the administrator."""
        source, state = (url if role is None else url_as(url, role) for url in (self.source, self.state))
        deployment.configure(source={"url": source}, state={"url": state}, **PIPELINE)


def url_as(url: str, role: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:plain@{parts.hostname}:{parts.port}").geturl()


def database_of(url: str) -> str:
    return urlsplit(url).path[1:]


def grant_printed(granted: Granted, deployment: Deployment, purpose: str, role: str) -> None:
    """Do what is printed for the role, each statement where it is said to belong."""
    granted.configure(deployment, None)
    code, document = deployment.json("grants", "--for", purpose, "--role", role)
    assert code == 0
    (printed,) = document["grants"]
    for statement in printed["source"]:
        granted.sql(statement)
    for statement in printed["state"]:
        granted.sql(statement, state=True)


#: What is granted in the source database and in that of the state, but for CONNECT.
OF_SOURCE = [*to_read([("shop", "articles"), ("shop", "authors")]), *to_prune("syncer")]
OF_STATE = to_keep_state("syncer")


def single(grants: Sequence[Grant]) -> list[Grant]:
    return [replace(grant, privileges=(name,)) for grant in grants for name in grant.privileges]


@dataclass
class Without:
    """Takes something away for as long as it lasts."""

    granted: Granted
    grant: Grant
    role: str
    state: bool

    def __enter__(self) -> None:
        self.granted.sql(f'REVOKE {self.grant} FROM "{self.role}"', state=self.state)

    def __exit__(self, *_: object) -> None:
        self.granted.sql(self.grant.to(self.role), state=self.state)


def has(granted: Granted, grant: Grant, state: bool) -> bool:
    """Tell whether the runner has it."""
    url = url_as(granted.state if state else granted.source, granted.runner)
    session = Session(url, setting="url", settings={}, unavailable=SourceUnavailable)
    try:
        return not lacking(session, [grant])
    finally:
        session.close()
