"""All rows as ids and hashes: what is among them, what fails, and how it is interrupted."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.digests import PostgresDigests
from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.core.comparison import Digest
from syncer.core.declaration import resolve_fields
from syncer.core.error import AccessDenied, SchemaMismatch, SourceUnavailable, SyncerError
from syncer.core.key import document_id
from syncer.core.table import Table
from tests.adapters.postgres.conftest import OpenSession, ReadTable

SCHEMA = """
CREATE TABLE item (id int PRIMARY KEY, n int, gone boolean, updated_at timestamptz NOT NULL DEFAULT now());
INSERT INTO item SELECT i, i, i % 10 = 0 FROM generate_series(1, 200) i
"""
#: Sorts and hashes for a long time, and can be interrupted.
SLOW = "pg_sleep(0.05) IS NOT NULL"


def digests_of(open_session: OpenSession, table: Table, role: str | None = None) -> PostgresDigests:
    fields = resolve_fields(table, None, setting="pipelines.items.fields")
    return PostgresDigests(lambda: open_session(role), table, fields)


def read_all(digests: PostgresDigests) -> list[Digest]:
    return [digest for page in digests.pages() for digest in page]


def test_rows_without_document_are_left_out(
    admin: psycopg.Connection[Any], open_session: OpenSession, read: ReadTable
) -> None:
    """Deleted softly, or not meeting `where`; the others have the hash that hydration gives them, and the routing."""
    admin.execute(SCHEMA)
    admin.execute("UPDATE item SET n = NULL WHERE id = 7")
    table = read(soft_delete="gone", where="n <= 100 -- a comment, 100 %", routing="n")
    fields = resolve_fields(table, None, setting="pipelines.items.fields")
    hydrated = PostgresDocuments(open_session(), table, fields, ()).hydrate([(str(i),) for i in range(1, 201)])
    found = read_all(digests_of(open_session, table))
    assert found == sorted((draft.key[0], draft.hash, draft.routing) for draft in hydrated.drafts)
    assert len(found) == 89


def test_a_row_that_cannot_be_read_has_no_hash(
    admin: psycopg.Connection[Any], open_session: OpenSession, read: ReadTable
) -> None:
    """All others are there as if it could."""
    admin.execute(SCHEMA)
    everything = read_all(digests_of(open_session, read(where="n <> 5")))
    admin.execute("UPDATE item SET n = 0 WHERE id IN (3, 77)")
    found = read_all(digests_of(open_session, read(where="100 / n <> 20")))
    expected = {id_: None if id_ in {"3", "77"} else hash_ for id_, hash_, _ in everything}
    assert [(id_, hash_) for id_, hash_, _ in found] == sorted(expected.items())


def test_ids_that_are_not_of_the_keys_type_have_no_key(
    admin: psycopg.Connection[Any], open_session: OpenSession, read: ReadTable
) -> None:
    """Though they may be the ids of documents; where one is written in another way than its row, it is a key."""
    admin.execute(SCHEMA)
    ids = ["1", "007", "a", "", "99999999999999999999", "1.5", "x\0", "\ud800"]
    assert digests_of(open_session, read()).keys(ids) == {"1": ("1",), "007": ("007",)}


@pytest.mark.parametrize(
    ("sql_type", "ids"),
    [
        ("interval", ["P1M", "P30DT5S"]),
        ("timestamptz", ["infinity", "2024-01-01 00:00:00+00"]),
        ("date", ["infinity", "12000-01-01", "0044-03-15 BC"]),
        ("time", ["24:00:00"]),
        ("numeric", ["NaN", "1.10"]),
        ("int4range", ["[1,6)", "empty"]),
        ("jsonb", ['{"a": 1}']),
    ],
)
@pytest.mark.parametrize("composite", [False, True], ids=["single", "composite"])
def test_ids_are_keys_though_the_driver_cannot_read_them(
    admin: psycopg.Connection[Any],
    open_session: OpenSession,
    read: ReadTable,
    sql_type: str,
    ids: list[str],
    composite: bool,
) -> None:
    """Postgres alone says what is of a type; what is not has no key."""
    key = "k, n" if composite else "k"
    admin.execute(f"CREATE TABLE item (k {sql_type}, n int, updated_at timestamptz, PRIMARY KEY ({key}))")
    suffix = "|1" if composite else ""
    keys = {id_ + suffix: (id_, "1") if composite else (id_,) for id_ in ids}
    assert digests_of(open_session, read()).keys([*keys, "never" + suffix]) == keys


def test_composite_keys_may_have_a_nondeterministic_collation(
    admin: psycopg.Connection[Any], open_session: OpenSession, read: ReadTable
) -> None:
    """Under which PostgreSQL 15 replaces nothing."""
    try:
        admin.execute("CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("the server was built without ICU")
    admin.execute("CREATE TABLE item (a text COLLATE blind, b text, updated_at timestamptz, PRIMARY KEY (a, b))")
    admin.execute(r"INSERT INTO item VALUES ('A|b', 'x'), ('c', 'd\e')")
    table = read()
    keys = [("A|b", "x"), ("c", "d\\e")]
    hydrated = PostgresDocuments(open_session(), table, resolve_fields(table, None, setting="x"), ()).hydrate(keys)
    found = read_all(digests_of(open_session, table))
    assert found == sorted((document_id(draft.key), draft.hash, "") for draft in hydrated.drafts)
    assert len(found) == 2


def test_the_number_of_rows_is_the_planners(
    admin: psycopg.Connection[Any], open_session: OpenSession, read: ReadTable
) -> None:
    """It costs nothing; before the first ANALYZE it is 0."""
    admin.execute(SCHEMA)
    assert digests_of(open_session, read()).rows() == 0
    admin.execute("ANALYZE item")
    assert digests_of(open_session, read()).rows() == 200


def test_a_statement_that_runs_is_interrupted(
    admin: psycopg.Connection[Any], open_session: OpenSession, read: ReadTable
) -> None:
    """It sorts for minutes, and the process is asked to stop."""
    admin.execute(SCHEMA)
    digests = digests_of(open_session, read(where=SLOW))
    raised: list[SyncerError] = []

    def run() -> None:
        try:
            read_all(digests)
        except SyncerError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH%' AND state = 'active'"
    while admin.execute(running).fetchone() == (0,):
        thread.join(0.02)
    digests.cancel()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(raised[0], SourceUnavailable)


def test_it_is_not_bound_by_the_sessions_time_limit(
    admin: psycopg.Connection[Any], open_session: OpenSession, read: ReadTable
) -> None:
    """Which is meant for statements that read a page."""
    admin.execute(SCHEMA)
    table = read(where=SLOW)
    fields = resolve_fields(table, None, setting="pipelines.items.fields")

    def impatient() -> Any:
        session = open_session()
        with session.use() as connection:
            connection.exec_driver_sql("SET statement_timeout = '1s'")
        return session

    assert len(read_all(PostgresDigests(impatient, table, fields))) == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("REVOKE SELECT ON item FROM {role}", AccessDenied),
        ("ALTER TABLE item ENABLE ROW LEVEL SECURITY", AccessDenied),
        ("ALTER TABLE item DROP COLUMN n", SchemaMismatch),
        ("ALTER TABLE item RENAME TO other", SchemaMismatch),
    ],
    ids=["revoked", "row-security", "column", "table"],
)
def test_what_the_role_cannot_read_is_an_error(
    admin: psycopg.Connection[Any],
    open_session: OpenSession,
    read: ReadTable,
    role: str,
    change: str,
    error: type[SyncerError],
) -> None:
    """Never a table without rows."""
    admin.execute(SCHEMA)
    admin.execute(f'GRANT SELECT ON item TO "{role}"')
    digests = digests_of(open_session, read(), role)
    admin.execute(change.format(role=f'"{role}"'))
    with pytest.raises(error):
        read_all(digests)


def test_a_connection_that_breaks_on_the_way_is_an_error(
    admin: psycopg.Connection[Any], open_session: OpenSession, read: ReadTable
) -> None:
    """After pages that were read."""
    admin.execute(SCHEMA)
    admin.execute("INSERT INTO item SELECT i, i FROM generate_series(1000, 25000) i")
    pages = digests_of(open_session, read()).pages()
    assert len(next(pages)) == 10_000
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'FETCH%'"
    admin.execute(others)
    with pytest.raises(SourceUnavailable):
        list(pages)
