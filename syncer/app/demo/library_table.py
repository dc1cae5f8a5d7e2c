"""The demo's table in Postgres, and the configuration of the pipeline that follows it."""

from __future__ import annotations

from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import yaml

from syncer.adapters.postgres.session import Session
from syncer.app.demo.library_docs import Entry, library_entries
from syncer.core.error import SourceUnavailable

PIPELINE = "library"

_SCHEMA = """
CREATE SCHEMA library;

CREATE TABLE library.entry (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    kind text NOT NULL,
    module text NOT NULL,
    signature text NOT NULL,
    summary text NOT NULL,
    doc text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- What the poll reads.
CREATE INDEX ON library.entry (updated_at, id);

-- What moves the watermark, whoever writes.
CREATE FUNCTION library.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;

CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON library.entry FOR EACH ROW EXECUTE FUNCTION library.touch();
"""
_COLUMNS = [field.name for field in fields(Entry)]
_INSERT = f"INSERT INTO library.entry ({', '.join(_COLUMNS)}) VALUES ({', '.join(['%s'] * len(_COLUMNS))})"


class LibraryTable:
    """The documentation of the standard library, as rows."""

    def __init__(self, url: str) -> None:
        self._session = Session(url, setting="source.url", settings={}, unavailable=SourceUnavailable)

    def fill(self) -> int:
        """Create the table with all its rows, unless an earlier demo did, and return how many there are."""
        with self._session.transaction() as connection:
            there = connection.exec_driver_sql("SELECT to_regclass('library.entry') IS NOT NULL").scalar_one()
            if not there:
                connection.exec_driver_sql(_SCHEMA)
                connection.exec_driver_sql(_INSERT, [astuple(entry) for entry in library_entries()])
                connection.exec_driver_sql("ANALYZE library.entry")
            return int(connection.exec_driver_sql("SELECT count(*) FROM library.entry").scalar_one())

    def summary(self, name: str) -> str:
        with self._session.use() as connection:
            return str(
                connection.exec_driver_sql("SELECT summary FROM library.entry WHERE name = %s", (name,)).scalar_one()
            )

    def describe(self, name: str, summary: str) -> None:
        """Change a row's summary, and commit."""
        with self._session.use() as connection:
            connection.exec_driver_sql("UPDATE library.entry SET summary = %s WHERE name = %s", (summary, name))

    def close(self) -> None:
        self._session.close()


def write_configuration(path: Path, source_url: str, elasticsearch_url: str, model: Path) -> None:
    """Write the file that the demo, and every other command on its data, runs with."""
    text: dict[str, Any] = {"type": "text", "analyzer": "english"}
    settings = {
        "source": {"url": source_url},
        "elasticsearch": {"hosts": [elasticsearch_url]},
        "embedding": {"model": str(model)},
        "pipelines": {
            PIPELINE: {
                "table": "library.entry",
                "fields": {
                    "name": {"type": "text", "keyword": True, "autocomplete": True, "boost": 3},
                    "kind": "keyword",
                    "module": "keyword",
                    "signature": "text",
                    "summary": {**text, "boost": 2},
                    "doc": text,
                },
                "embedding": {"text": "{name}: {summary}"},
                "index": {"replicas": 0},
                "poll": {"interval": "200ms", "batch_rows": 250},
            }
        },
    }
    # It holds a password.
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
