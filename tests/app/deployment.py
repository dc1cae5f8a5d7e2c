"""A configuration file on real servers, and the command line run on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
import yaml

from syncer.app.cli import execute
from syncer.app.invocation import Invocation
from tests.conftest import Elastic

TABLE = """
CREATE TABLE articles (
    id bigint PRIMARY KEY, title text NOT NULL, price text, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON articles (updated_at, id);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION touch();
"""


@dataclass
class Deployment:
    """What the command line works on."""

    folder: Path
    postgres_url: str
    elastic: Elastic
    prefix: str
    capture: pytest.CaptureFixture[str]

    def sql(self, statements: str) -> None:
        with psycopg.connect(self.postgres_url, autocommit=True) as connection:
            connection.execute(statements.encode())

    def configure(self, *, model: str | None = None, **changes: Any) -> None:
        """Write the configuration; changes: of the sections `source`, `state`, `elasticsearch` and `pipelines`, or else
        of the pipeline `articles`."""
        elastic = {
            "hosts": self.elastic.url,
            "ca_certs": self.elastic.ca_certs,
            "username": self.elastic.username,
            "password": self.elastic.password or "",
        }
        articles = {"table": "articles", "index": {"alias": f"{self.prefix}-articles", "replicas": 0}}
        sections: dict[str, Any] = {"source": {"url": self.postgres_url}, "elasticsearch": elastic}
        sections |= {"embedding": {"model": model}} if model else {}
        for name, value in changes.items():
            target = sections if name in {"source", "state", "elasticsearch", "pipelines"} else articles
            target[name] = value
        (self.folder / "syncer.yaml").write_text(yaml.safe_dump({"pipelines": {"articles": articles}, **sections}))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error of a command."""
        self.capture.readouterr()
        code = execute([*arguments, "-c", str(self.folder / "syncer.yaml")], Invocation({}))
        out, err = self.capture.readouterr()
        return code, out, err

    def json(self, *arguments: str) -> tuple[int, Any]:
        """Return exit code and document of a command, which prints nothing else on standard output."""
        code, out, err = self.run(*arguments, "--json")
        assert out, err
        return code, json.loads(out)

    def url_of(self, role: str, password: str) -> str:
        """Return the URL of the database for another role."""
        parts = urlsplit(self.postgres_url)
        return parts._replace(netloc=f"{role}:{quote(password)}@{parts.hostname}:{parts.port}").geturl()
