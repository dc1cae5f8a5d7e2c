"""Configurations for schemas like those of pgsync's examples: documents, mapping and changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from syncer.adapters.clock import SystemClock
from syncer.app.blueprint import Blueprint
from syncer.app.noted import noted_by
from syncer.app.reader import source_reader
from syncer.app.settings import Settings
from syncer.app.wiring import Application
from syncer.core.key import document_id
from syncer.core.position import Position
from syncer.engine.pipeline import Reader
from tests.adapters.postgres.noting import SCHEMA, install

FOLDER = Path(__file__).parent
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/syncer.yaml"))
#: More than any table here holds.
ROWS = 1000


@dataclass(frozen=True, slots=True)
class Example:
    """A database made of an example's schema, with triggers, and what reads it."""

    admin: psycopg.Connection[Any]
    plan: Blueprint
    reader: Reader
    #: `documents` by id, and under `changes` the ids of those that each statement changes.
    expected: Mapping[str, Any]

    def documents(self) -> dict[str, Any]:
        hydration = self.reader.documents.hydrate(self.reader.keys.read(None, None, ROWS))
        assert not hydration.unreadable
        return {document_id(draft.key): json.loads(draft.body) for draft in hydration.drafts}

    def clock(self) -> datetime:
        row = self.admin.execute("SELECT clock_timestamp()").fetchone()
        assert row
        now: datetime = row[0]
        return now

    def named(self, since: datetime) -> dict[str, list[str]]:
        """Return the documents that each feed names for changes since then, by the feed's name."""
        until = self.clock() + timedelta(seconds=1)
        pages = {feed.name: feed.read(Position(since), until, ROWS) for feed in self.reader.feeds}
        assert all(page.next is None for page in pages.values())
        return {name: [document_id(change.key) for change in page.changes] for name, page in pages.items()}


@pytest.fixture(name="example", params=NAMES)
def _example(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[Example]:
    folder = FOLDER / request.param
    settings = Settings.load(folder / "syncer.yaml", {"SYNCER_SOURCE_URL": postgres_url})
    application = Application(settings, SystemClock())
    [name] = settings.pipelines
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute((folder / "schema.sql").read_bytes())
        plan = application.blueprint(name)
        session = application.source_session()
        for noted in noted_by(session, name, settings):
            install(session, noted.table, columns=noted.columns)
        session.close()
        reader = source_reader(plan, application.source_session(), SCHEMA)
        yield Example(admin, plan, reader, json.loads((folder / "expected.json").read_text()))
        reader.close()
    application.close()


def test_documents_are_as_expected(example: Example) -> None:
    """All rows of the pipeline's table; and the mapping declares every field of them, so that nothing is dynamic."""
    documents = example.documents()
    assert documents == example.expected["documents"]
    assert [path for each in documents.values() for path in undeclared(each, example.plan.mapping)] == []


def test_each_change_names_its_documents(example: Example) -> None:
    """What is not named has not changed; and no table that documents are made of is left out."""
    changed: set[str] = set()
    before = example.documents()
    for statement, ids in example.expected["changes"].items():
        start = example.clock()
        example.admin.execute(statement)
        named = example.named(start)
        after = example.documents()
        assert sorted({id_ for each in named.values() for id_ in each}) == ids, statement
        assert differing(before, after) <= set(ids), statement
        changed |= {way(name) for name, each in named.items() if each}
        before = after
    assert changed == {way(feed.name) for feed in example.reader.feeds}


def way(feed: str) -> str:
    """Return what a feed has in common with the one of the same table's tombstones."""
    return feed.removeprefix(f"{SCHEMA}.tombstones of ")


def undeclared(value: Any, declared: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the paths of a document's fields that its mapping does not hold."""
    if isinstance(value, list):
        for each in value:
            yield from undeclared(each, declared, path)
    elif isinstance(value, dict) and "properties" in declared:
        assert declared["dynamic"] == "strict"
        for name, inner in value.items():
            if name in declared["properties"]:
                yield from undeclared(inner, declared["properties"][name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(value, dict) and declared["type"] == "object":
        # Stored, and not looked into.
        assert declared["enabled"] is False


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> Set[str]:
    return {id_ for id_ in one.keys() | other.keys() if one.get(id_) != other.get(id_)}
