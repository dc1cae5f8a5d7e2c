"""The related tables of a pipeline, or of its feeds: as its own, and whether rows are found by what relates them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from syncer.adapters.postgres import remedy
from syncer.adapters.postgres.inspection import table_facts
from syncer.adapters.postgres.session import Session
from syncer.app.check.finding import Finding, Severity, info
from syncer.app.check.table import check_readable, words
from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.pipeline_table import feed_relations, feed_table, pipeline_relations, pipeline_table
from syncer.core.relation import Relation
from syncer.core.table import Table


def check_relations(session: Session, name: str, settings: PipelineSettings) -> Iterator[Finding]:
    """Look at every related table of a pipeline; a table that is related twice is looked at once."""
    if settings.routed_by_others:
        yield info(
            f"pipelines.{name}.routing",
            "of related rows, which may move a document at any time: with each write it is removed from all other "
            f"shards, of {settings.index.shards} in all; that needs no triggers",
        )
    roots = list(_roots(session, name, settings.without_conditions()))
    seen = {str(table) for table, _, _ in roots}
    indexed: set[tuple[str, frozenset[str]]] = set()
    for setting, before, related, on in (each for root in roots for each in _joins(*root)):
        if str(related) not in seen:
            seen.add(str(related))
            yield info(setting, words(related))
            # Without a watermark nothing is read by its key.
            yield from check_readable(session, related, setting, identified=related.watermark is not None)
        sides = [(before, [column for column, _ in on], f"each change of {related} reads the whole table")]
        # How documents are read from a query or a view, is seen in its own plan.
        if not settings.feeds:
            sides.insert(0, (related, [column for _, column in on], "each document reads and sorts the whole table"))
        for side, columns, consequence in sides:
            if (str(side), frozenset(columns)) not in indexed:
                indexed.add((str(side), frozenset(columns)))
                yield from _index(session, f"{setting}.on", side, columns, consequence)


def _roots(
    session: Session, name: str, settings: PipelineSettings
) -> Iterator[tuple[Table, Mapping[str, Relation], str]]:
    """Yield the tables that relations begin at, with these, and what the configuration calls them."""
    table = pipeline_table(session, name, settings)
    if not settings.feeds:
        yield table, pipeline_relations(session, name, settings, table), f"pipelines.{name}"
    for called, feed in settings.feeds.items():
        setting = f"pipelines.{name}.feeds.{called}"
        fed_by = feed_table(session, setting, called, feed, table)
        yield fed_by, feed_relations(session, setting, feed, fed_by), setting


def _joins(
    table: Table, relations: Mapping[str, Relation], section: str
) -> Iterator[tuple[str, Table, Table, Sequence[tuple[str, str]]]]:
    """Yield what the configuration calls each join, the two tables, and the pairs of columns that are equal."""
    for relation in relations.values():
        setting, before = f"{section}.relations.{relation.name}", table
        for place, join in enumerate(relation.joins):
            last = place == len(relation.joins) - 1
            yield setting if last else f"{setting}.through[{place}]", before, join.table, join.on
            before = join.table
        yield from _joins(relation.table, relation.relations, setting)


def _index(session: Session, setting: str, table: Table, columns: Sequence[str], consequence: str) -> Iterator[Finding]:
    facts = table_facts(session, table)
    if not facts.is_found_by(columns):
        yield Finding(
            Severity.WARNING,
            setting,
            f"no index of {table} begins with {', '.join(columns)}",
            consequence,
            "create one",
            remedy.joining_index(table, columns, partitioned=facts.partitioned),
        )
