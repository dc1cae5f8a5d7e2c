"""The related tables of a pipeline: as for its own, and whether rows are found by what relates them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from syncer.adapters.postgres import remedy
from syncer.adapters.postgres.inspection import table_facts
from syncer.adapters.postgres.session import Session
from syncer.app.check.finding import Finding, Severity, info
from syncer.app.check.table import check_readable
from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.pipeline_table import pipeline_relations, pipeline_table
from syncer.core.relation import Relation
from syncer.core.table import Table


def check_relations(session: Session, name: str, settings: PipelineSettings) -> Iterator[Finding]:
    """Look at every related table of a pipeline; a table that is related twice is looked at once."""
    plain = settings.without_conditions()
    table = pipeline_table(session, name, plain)
    seen = {str(table)}
    indexed: set[tuple[str, frozenset[str]]] = set()
    for setting, before, related, on in _joins(table, pipeline_relations(session, name, plain, table), name):
        if str(related) not in seen:
            seen.add(str(related))
            yield info(setting, _words(related))
            yield from check_readable(session, related, setting)
        sides = (
            (related, [column for _, column in on], "each document reads and sorts the whole table"),
            (before, [column for column, _ in on], f"each change of {related} reads the whole table"),
        )
        for side, columns, consequence in sides:
            if (str(side), frozenset(columns)) not in indexed:
                indexed.add((str(side), frozenset(columns)))
                yield from _index(session, f"{setting}.on", side, columns, consequence)


def _joins(
    table: Table, relations: Mapping[str, Relation], name: str
) -> Iterator[tuple[str, Table, Table, Sequence[tuple[str, str]]]]:
    """Yield what the configuration calls each join, the two tables, and the pairs of columns that are equal."""
    for relation in relations.values():
        setting, before = f"pipelines.{name}.relations.{relation.name}", table
        for place, join in enumerate(relation.joins):
            last = place == len(relation.joins) - 1
            yield setting if last else f"{setting}.through[{place}]", before, join.table, join.on
            before = join.table
        yield from _joins(relation.table, relation.relations, f"{name}.relations.{relation.name}")


def _words(table: Table) -> str:
    noticed = f"watermark {table.watermark}" if table.watermark else "no watermark: triggers tell of its changes"
    return f"{table}, key {', '.join(table.key)}, {noticed}"


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
