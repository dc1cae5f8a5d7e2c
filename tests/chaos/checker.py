"""Compares every row and every field with the index; shares no code with syncer's reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan
from psycopg.rows import dict_row

from tests.chaos.change import COLUMNS
from tests.chaos.journal import Journal
from tests.chaos.related import add_related


@dataclass(frozen=True, slots=True)
class Verdict:
    """Keys that are wrong, by how; `rows` counts those that must have a document."""

    rows: int
    #: Rows without a document.
    lost: Sequence[int]
    #: Rows whose document differs.
    stale: Sequence[int]
    #: Documents of rows that are gone, soft-deleted or filtered out.
    ghost: Sequence[int]
    #: Rows with several documents.
    duplicate: Sequence[int]
    #: Rows that the index refuses, and no dead letter says so.
    unsaid: Sequence[int]
    #: Rows that the index does not refuse, and a dead letter says so.
    undue: Sequence[int]
    #: By stale key, what the row holds and what the index holds.
    difference: Mapping[int, str]

    @property
    def wrong(self) -> Sequence[int]:
        return [*self.lost, *self.stale, *self.ghost, *self.duplicate, *self.unsaid, *self.undue]

    def __str__(self) -> str:
        kinds = ("lost", "stale", "ghost", "duplicate", "unsaid", "undue")
        return " ".join(f"{kind}={len(getattr(self, kind))}" for kind in kinds)


def compare(source_url: str, client: Elasticsearch, alias: str, journal: Journal, *, related: bool = False) -> Verdict:
    """Compare the table with the documents behind the alias, while nobody writes to either; related: and those of
    which they are made besides."""
    rows, letters = _read(source_url, related=related)
    documents = _documents(client, alias)
    live = {key: row for key, row in rows.items() if row["visible"] and row["deleted_at"] is None}
    refused = {key for key, row in live.items() if row["note"] == "seven"}
    difference: dict[int, str] = {}
    for key in sorted(live.keys() & documents.keys()):
        document = documents[key][0]
        if key in refused:
            # What the index refuses leaves the document of an earlier revision.
            if document["revision"] not in journal.revisions(key):
                difference[key] = f"revision {document['revision']} was never written"
        elif differing := _differing(live[key], document):
            difference[key] = differing
    return Verdict(
        rows=len(live),
        lost=sorted(live.keys() - refused - documents.keys()),
        stale=list(difference),
        ghost=sorted(documents.keys() - live.keys()),
        duplicate=sorted(key for key, found in documents.items() if len(found) > 1),
        unsaid=sorted(refused - letters),
        undue=sorted(letters - refused),
        difference=difference,
    )


def _read(source_url: str, *, related: bool) -> tuple[dict[int, dict[str, Any]], set[int]]:
    with psycopg.connect(source_url, row_factory=dict_row) as connection:
        rows = connection.execute(f"SELECT {COLUMNS}, deleted_at FROM public.item".encode()).fetchall()
        by_key = {row["id"]: row for row in rows}
        if related:
            add_related(connection, by_key)
        letters = connection.execute(
            "SELECT key FROM syncer.dead_letters JOIN syncer.indices ON index = name WHERE followed"
        ).fetchall()
    return by_key, {int(letter["key"][0]) for letter in letters}


def _documents(client: Elasticsearch, alias: str) -> dict[int, list[dict[str, Any]]]:
    client.indices.refresh(index=alias)
    found: dict[int, list[dict[str, Any]]] = {}
    for hit in scan(client, index=alias, size=2000, query={"query": {"match_all": {}}}):
        found.setdefault(int(hit["_id"]), []).append(hit["_source"])
    return found


def _differing(row: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    names = sorted((document.keys() | row.keys()) - {"_syncer", "deleted_at"})
    pairs = [(name, row.get(name), document.get(name)) for name in names if name not in row or name not in document]
    pairs += [
        (name, row[name], document[name])
        for name in names
        if name in row and name in document and not _same(row[name], document[name])
    ]
    return "; ".join(f"{name} is {value!r}, indexed {indexed!r}" for name, value, indexed in pairs)


def _same(value: Any, indexed: Any) -> bool:
    match value:
        case datetime():
            return isinstance(indexed, str) and datetime.fromisoformat(indexed) == value
        case Decimal():
            return isinstance(indexed, int | float) and Decimal(repr(indexed)) == value
        case float():
            return isinstance(indexed, int | float) and indexed == value
        case _:
            return bool(type(value) is type(indexed) and value == indexed)
