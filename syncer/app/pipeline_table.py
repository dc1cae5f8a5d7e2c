"""The tables of a pipeline as its settings mean them and the catalogue has them, and the fields of its documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncer.adapters.postgres.catalog import read_table
from syncer.adapters.postgres.query_catalog import read_query
from syncer.adapters.postgres.relation_catalog import read_relations
from syncer.adapters.postgres.session import Session
from syncer.app.declared import declared_fields, declared_relations
from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.relation_settings import FeedSettings
from syncer.core.declaration import resolve_fields
from syncer.core.error import ConfigurationError
from syncer.core.feed import Feed
from syncer.core.field import Field
from syncer.core.relation import Relation
from syncer.core.routing import resolve_routing
from syncer.core.table import Table
from syncer.core.way import ways, ways_over


def pipeline_table(session: Session, name: str, settings: PipelineSettings) -> Table:
    """Return the table of a pipeline as the catalogue has it, or what stands in its place; see `read_table` and
    `read_query`."""
    setting, key = f"pipelines.{name}", settings.key or ()
    if settings.query is not None:
        return read_query(
            session, settings.query, key=key, soft_delete=settings.soft_delete, where=settings.where, setting=setting
        )
    return read_table(
        session,
        settings.table or "",
        key=key,
        watermark=settings.watermark,
        watermark_zone=settings.watermark_zone,
        soft_delete=settings.soft_delete,
        where=settings.where,
        routing=None if settings.routed_by_others else settings.routing,
        setting=setting,
        view=bool(settings.feeds),
    )


def pipeline_relations(session: Session, name: str, settings: PipelineSettings, table: Table) -> Mapping[str, Relation]:
    """Return the relations of a pipeline's table as the catalogue has them; see `read_relations`."""
    return read_relations(session, table, declared_relations(settings.relations), setting=f"pipelines.{name}")


def pipeline_fields(session: Session, name: str, settings: PipelineSettings, table: Table) -> tuple[Field, ...]:
    """Return the fields of a pipeline's documents; see `resolve_fields`."""
    relations = pipeline_relations(session, name, settings, table)
    fields = declared_fields(settings.fields)
    return resolve_fields(table, fields, setting=f"pipelines.{name}.fields", relations=relations)


def pipeline_routing(session: Session, name: str, settings: PipelineSettings, table: Table) -> Field | None:
    """Return the column of related rows that decides on the shards of documents, if one does; see `resolve_routing`."""
    if settings.routing is None or not settings.routed_by_others:
        return None
    relations = pipeline_relations(session, name, settings, table)
    return resolve_routing(table, relations, settings.routing, setting=f"pipelines.{name}.routing")


def pipeline_feeds(
    session: Session, name: str, settings: PipelineSettings, table: Table, fields: Sequence[Field]
) -> Sequence[Feed]:
    """Return what tells which documents change: the table itself, or the feeds of a query or a view.

    Raises ConfigurationError where a feed's table is not there, or its key cannot be that of documents.
    """
    if not settings.feeds:
        routing = pipeline_routing(session, name, settings, table)
        return [Feed(table, ways([*fields, routing] if routing else fields), wakes=settings.poll.wakes)]
    feeds: dict[str, Feed] = {}
    for called, feed in settings.feeds.items():
        setting = f"pipelines.{name}.feeds.{called}"
        own = feed_table(session, setting, called, feed, table)
        if str(own) in feeds:
            # What triggers note of a table has one key.
            raise ConfigurationError(
                f"{setting}.table: {own} is another feed's table already",
                hint="name it once, and reach it over the relations of a feed otherwise",
            )
        relations = feed_relations(session, setting, feed, own)
        feeds[str(own)] = Feed(own, ways_over(relations), of_query=True, wakes=settings.poll.wakes)
    return list(feeds.values())


def feed_table(session: Session, setting: str, called: str, feed: FeedSettings, of: Table) -> Table:
    """Return the table of a feed as the catalogue has it. of: the query or view; called: the feed."""
    table = read_table(
        session,
        feed.table or called,
        key=feed.key or of.key,
        watermark=feed.watermark,
        watermark_zone=feed.watermark_zone,
        soft_delete=None,
        where=None,
        routing=None,
        setting=setting,
    )
    if len(table.key) != len(of.key):
        raise ConfigurationError(
            f"{setting}.key: names {len(table.key)} columns, and the key of {of} has {len(of.key)}",
            hint=f"name the columns that are {', '.join(of.key)}, in this order",
        )
    for ours, theirs in zip(table.key, of.key, strict=True):
        one, other = table.columns[ours].sql_type, of.columns[theirs].sql_type
        # Equal values of two types may be written in two ways, and would be two documents.
        if one != other:
            raise ConfigurationError(
                f"{setting}.key: {table}.{ours} is of type {one}, {of}.{theirs} of type {other}",
                hint="name a column of the same type, or cast the one in the query",
            )
    return table


def feed_relations(session: Session, setting: str, feed: FeedSettings, table: Table) -> Mapping[str, Relation]:
    """Return the relations of a feed's table as the catalogue has them; see `read_relations`."""
    return read_relations(session, table, declared_relations(feed.relations), setting=setting)
