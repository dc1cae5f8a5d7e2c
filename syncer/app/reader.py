"""What a pipeline reads from the source: its feeds, its keys and its documents."""

from __future__ import annotations

from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.feed import PostgresChangeFeed
from syncer.adapters.postgres.glance import PostgresGlance
from syncer.adapters.postgres.keys import PostgresKeyFeed
from syncer.adapters.postgres.related_feed import PostgresRelatedFeed
from syncer.adapters.postgres.related_tombstones import PostgresRelatedTombstones
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.source import PostgresSource
from syncer.adapters.postgres.tombstone_table import TombstoneTable
from syncer.adapters.postgres.tombstones import PostgresTombstones
from syncer.app.blueprint import Blueprint
from syncer.engine.pipeline import Reader


def source_reader(plan: Blueprint, session: Session, schema: str) -> Reader:
    """Return the reader of a pipeline, which closes the session. schema: of the tombstones."""
    feeds: list[PostgresChangeFeed | PostgresTombstones] = []
    related: list[PostgresRelatedFeed | PostgresRelatedTombstones] = []
    # Several feeds may read what is noted of one table, and it is pruned once.
    tombstones: dict[str, TombstoneTable] = {}
    for feed in plan.feeds:
        table = feed.table
        if table.watermark is not None:
            feeds.append(PostgresChangeFeed(session, table))
        feeds.append(PostgresTombstones(session, table, schema, by_columns=feed.of_query))
        related += [
            PostgresRelatedFeed(session, table, joins) for joins in feed.ways if joins[-1].table.watermark is not None
        ]
        related += [PostgresRelatedTombstones(session, table, joins, schema) for joins in feed.ways]
        for each in (table, *(joins[-1].table for joins in feed.ways)):
            tombstones.setdefault(str(each), TombstoneTable(session, each, schema))
    return Reader(
        source=PostgresSource(session),
        feeds=[*feeds, *related],
        glance=PostgresGlance(session, [*feeds, *related]),
        related=related,
        tombstones=list(tombstones.values()),
        keys=PostgresKeyFeed(session, plan.table),
        documents=PostgresDocuments(session, plan.table, plan.fields, plan.vectors, plan.routing),
        close=session.close,
    )
