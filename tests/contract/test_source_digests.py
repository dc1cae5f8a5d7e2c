"""The source's half of a comparison, in its two forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
import pytest

from syncer.adapters.memory.clock import MemoryClock
from syncer.adapters.memory.digests import MemorySourceDigests
from syncer.adapters.memory.source import MemoryDocuments
from syncer.adapters.memory.table import MemoryTable
from syncer.adapters.postgres.catalog import read_table
from syncer.adapters.postgres.digests import PostgresDigests
from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.core.declaration import Declared, resolve_fields
from syncer.core.error import SourceUnavailable
from syncer.core.key import Key, document_id
from syncer.ports import Documents, SourceDigests

#: Of two parts, with what joins and escapes them; in no order that a collation would give them.
ODD_KEYS: list[Key] = [
    ("b", "1"),
    ("B", "1"),
    ("a", "2"),
    ("", ""),
    ("|", "\\"),
    ("\\|", "|\\|"),
    ("a b", "-"),
    ("a", "b|c"),
    ("a|b", "c"),
    ("é", "e\u0301"),
    ("\uffff", "\U0001f511"),
    ("\U0001f511", "%s :name"),
    ("\x01", "\x7f"),
]


@dataclass(frozen=True, slots=True)
class Side:
    digests: SourceDigests
    documents: Documents


MakeSide = Callable[[Sequence[Key]], Side]


@pytest.fixture(name="make", params=["memory", "postgres"])
def _make(request: pytest.FixtureRequest) -> Iterator[MakeSide]:
    """Makes a table of two text columns as its key and an amount."""
    if request.param == "memory":
        yield _memory
        return
    url: str = request.getfixturevalue("postgres_url")
    sessions: list[Session] = []

    def session() -> Session:
        sessions.append(Session(url, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable))
        return sessions[-1]

    def make(keys: Sequence[Key]) -> Side:
        with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE item (a text, b text, n int, updated_at timestamptz DEFAULT now(), PRIMARY KEY (a, b))"
            )
            cursor.executemany("INSERT INTO item VALUES (%s, %s, %s)", [(*key, i) for i, key in enumerate(keys)])
        table = read_table(
            session(),
            "item",
            key=(),
            watermark="updated_at",
            watermark_zone=None,
            soft_delete=None,
            where=None,
            routing=None,
            setting="pipelines.items",
        )
        fields = resolve_fields(table, {"n": Declared()}, setting="pipelines.items.fields")
        return Side(PostgresDigests(session, table, fields), PostgresDocuments(session(), table, fields, ()))

    yield make
    for opened in sessions:
        opened.close()


def _memory(keys: Sequence[Key]) -> Side:
    table = MemoryTable(MemoryClock())
    for i, key in enumerate(keys):
        table.put(key, n=i)
    return Side(MemorySourceDigests(table, parts=2), MemoryDocuments(table))


def test_every_row_is_there_with_the_hash_of_its_document(make: MakeSide) -> None:
    """By document id, rising by code points, whatever the database's collation."""
    side = make(ODD_KEYS)
    found = [digest for page in side.digests.pages() for digest in page]
    drafts = side.documents.hydrate(ODD_KEYS).drafts
    assert found == sorted((document_id(draft.key), draft.hash, "") for draft in drafts)
    assert len(found) == len(ODD_KEYS)


def test_an_empty_table_has_no_pages(make: MakeSide) -> None:
    """Not one that is empty."""
    side = make([])
    assert list(side.digests.pages()) == []
    assert side.digests.rows() == 0


def test_ids_lead_to_keys_and_those_that_no_row_can_have_are_left_out(make: MakeSide) -> None:
    """Whether the row is there or not; an id that is escaped in another way is none of ours."""
    side = make(ODD_KEYS)
    ids = {document_id(key): key for key in [*ODD_KEYS, ("not", "there")]}
    assert side.digests.keys([*ids, "a", "a|b|c", "\\a|b", "a|b\\"]) == ids
    assert side.digests.keys([]) == {}


def test_a_comparison_that_is_cancelled_is_an_error_never_an_end(make: MakeSide) -> None:
    """What was not read would be taken for gone."""
    side = make([(f"{i}", "") for i in range(100)])
    side.digests.cancel()
    with pytest.raises(SourceUnavailable):
        list(side.digests.pages())
