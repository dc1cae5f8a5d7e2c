"""Documents made of several tables beside flat ones, in turn: of the same rows, and of rows that are as large."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import psutil
import psycopg
import pytest

from syncer.adapters.postgres.catalog import read_table
from syncer.adapters.postgres.digests import PostgresDigests
from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.core.error import SourceUnavailable
from syncer.core.field import Field, Related
from syncer.core.key import Key
from syncer.core.relation import Join, Order, Relation
from syncer.core.table import Table

pytestmark = pytest.mark.benchmark

ROWS = 50_000
AUTHORS = 2_000
COMMENTS = 5
BATCH_ROWS = 1_000
TURNS = 5

SCHEMA = f"""
CREATE TABLE author (
    id bigint PRIMARY KEY, name text NOT NULL, country text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE article (
    id bigint PRIMARY KEY, author_id bigint NOT NULL, title text NOT NULL, slug text NOT NULL, status text NOT NULL,
    views integer NOT NULL, rating numeric NOT NULL, published_at timestamptz NOT NULL, body text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE comment (
    article_id bigint NOT NULL, number integer NOT NULL, writer text NOT NULL, body text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (article_id, number)
);
INSERT INTO author SELECT i, 'author ' || i, 'country ' || i % 50 FROM generate_series(1, {AUTHORS}) i;
INSERT INTO article
SELECT i, 1 + i * 7919 % {AUTHORS}, 'page ' || i, 'page-' || i, 'published', i % 1000, i % 50 / 10.0,
       timestamptz '2026-01-01' + i * interval '1 minute',
       (SELECT string_agg(md5((i * 31 + j)::text), ' ') FROM generate_series(1, 29) j)
FROM generate_series(1, {ROWS}) i;
-- Documents as large as those of articles with their relations.
CREATE TABLE long_article (LIKE article INCLUDING ALL);
INSERT INTO long_article
SELECT id, author_id, title, slug, status, views, rating, published_at,
       (SELECT string_agg(md5((id * 31 + j)::text), ' ') FROM generate_series(1, 44) j), updated_at
FROM article;
-- Those of one article far from each other, as they are where readers write them.
INSERT INTO comment
SELECT i, n, 'reader ' || i * n % 1000, 'comment ' || md5((i * 5 + n)::text)
FROM generate_series(1, {ROWS}) i, generate_series(1, {COMMENTS}) n ORDER BY n, i;
VACUUM ANALYZE author, article, long_article, comment;
"""


@pytest.fixture(name="open_session")
def _open_session(postgres_url: str) -> Iterator[Callable[[], Session]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for statement in SCHEMA.split(";\n"):
            connection.execute(statement.encode())
    sessions: list[Session] = []

    def open_session() -> Session:
        session = Session(postgres_url, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)
        sessions.append(session)
        return session

    yield open_session
    for session in sessions:
        session.close()


def test_documents_without_and_with_relations(open_session: Callable[[], Session]) -> None:
    """50,000 rows of about 1 kB, hydrated in batches of 1,000; then all of them as verify reads them.

    With relations a document has an author, an object of three columns, and five comments, objects of three columns.
    """
    session = open_session()
    names = ("article", "long_article", "author", "comment")
    article, long_article, author, comment = (_read(session, name) for name in names)
    by = Relation("author", (Join(author, (("author_id", "id"),)),))
    below = Relation("comments", (Join(comment, (("id", "article_id"),)),), many=True, order=(Order("number"),))
    flat = _plain(*article.columns)
    related = (
        *flat,
        Field("author", "", "object", related=Related(by, _plain("id", "name", "country"))),
        Field("comments", "", "object", related=Related(below, _plain("number", "writer", "body"))),
    )
    of = PostgresDocuments(session, article, related, ())
    batches = [[(str(id_),) for id_ in range(first, first + BATCH_ROWS)] for first in range(1, ROWS, BATCH_ROWS)]
    for table in (article, long_article):
        beside = PostgresDocuments(session, table, flat, ())
        sizes = [len(documents.hydrate([("1",)]).drafts[0].body) for documents in (beside, of)]
        print(f"\n{ROWS:,} documents: flat {sizes[0] / 1000:.2f} kB, with relations {sizes[1] / 1000:.2f} kB")
        _compare(
            "hydration", BATCH_ROWS, [[partial(_hydrated, each, keys) for keys in batches] for each in (beside, of)]
        )
        digests = ((table, flat), (article, related))
        _compare("verify", ROWS, [[partial(_digests, open_session, rows, fields)] for rows, fields in digests])
    with session.use() as connection:
        version = connection.exec_driver_sql("SHOW server_version").scalar()
    memory = psutil.virtual_memory().total / 2**30
    print(
        f"({psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}, "
        f"PostgreSQL {version} on the same machine)"
    )


def _compare(kind: str, rows: int, work: Sequence[Sequence[Callable[[], int]]]) -> None:
    """Time each piece of work on both kinds of documents, first on the one and then on the other; print the medians."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(TURNS):
        for pair in zip(*work, strict=True):
            for which in (0, 1) if turn % 2 else (1, 0):
                started = time.monotonic()
                assert pair[which]() == rows
                seconds[which].append(time.monotonic() - started)
    flat, related = (rows / statistics.median(each) for each in seconds)
    # Of each pair its own ratio: what else the machine does changes from one to the next.
    ratio = statistics.median(before / after for before, after in zip(*seconds, strict=True))
    print(f"{kind:9} flat {flat:9,.0f} rows/s   with relations {related:9,.0f} rows/s   ratio {ratio:.2f}")


def _hydrated(documents: PostgresDocuments, keys: Sequence[Key]) -> int:
    return len(documents.hydrate(keys).drafts)


def _digests(open_session: Callable[[], Session], table: Table, fields: Sequence[Field]) -> int:
    digests = PostgresDigests(open_session, table, fields)
    try:
        return sum(len(page) for page in digests.pages())
    finally:
        digests.close()


def _plain(*columns: str) -> tuple[Field, ...]:
    return tuple(Field(column, column, "keyword") for column in columns)


def _read(session: Session, name: str) -> Table:
    return read_table(
        session,
        name,
        key=(),
        watermark="updated_at",
        watermark_zone=None,
        soft_delete=None,
        where=None,
        routing=None,
        setting="pipelines.articles",
    )
