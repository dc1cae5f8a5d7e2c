"""A pipeline's tables: readable, with a unique key, and a watermark that tells of every change."""

from __future__ import annotations

from collections.abc import Iterator

from syncer.adapters.postgres import remedy
from syncer.adapters.postgres.expression import clock_of
from syncer.adapters.postgres.feed import COUNTED_MAX, unreachable
from syncer.adapters.postgres.inspection import TableFacts, role, table_facts
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.source import PostgresSource
from syncer.app.check.finding import Finding, Severity, info
from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.pipeline_table import feed_table, pipeline_table
from syncer.core.table import Table


def check_table(session: Session, name: str, settings: PipelineSettings) -> Iterator[Finding]:
    """Look at the table of a pipeline, or the tables of its feeds; what its condition and fields are worth is seen
    elsewhere."""
    setting = f"pipelines.{name}"
    # Without its condition: privileges come first, since Postgres explains a condition only to those who may read.
    plain = settings.without_conditions()
    table = pipeline_table(session, name, plain)
    if not table.derived:
        yield info(f"{setting}.table", f"{table}, key {', '.join(table.key)}, watermark {table.watermark}")
        yield from check_readable(session, table, setting)
        return
    yield info(f"{setting}.key", f"{', '.join(table.key)}: that no two rows of {table} have the same cannot be checked")
    if table.view:
        yield from _view(f"{setting}.table", session, table, repaired=settings.schedule.repair)
    for called, feed in plain.feeds.items():
        feeding = f"{setting}.feeds.{called}"
        fed_by = feed_table(session, feeding, called, feed, table)
        yield info(feeding, words(fed_by))
        yield from check_readable(session, fed_by, feeding, identified=False)


def words(table: Table) -> str:
    """Return what is known of a feed's table, or a related one."""
    noticed = f"watermark {table.watermark}" if table.watermark else "no watermark: triggers tell of its changes"
    return f"{table}, key {', '.join(table.key)}, {noticed}"


def check_readable(session: Session, table: Table, setting: str, *, identified: bool = True) -> Iterator[Finding]:
    """Look at a table that is followed. setting: what the configuration calls the section that names it. identified:
    its key must identify its rows; many rows of a feed may have one key, or none."""
    facts = table_facts(session, table)
    yield from _access(f"{setting}.table", table, facts, role(session).name)
    if identified:
        yield from _key(f"{setting}.key", table, facts)
    if table.watermark is None:
        return
    yield from _watermark(f"{setting}.watermark", table, facts)
    if facts.readable and not facts.policies_apply:
        yield from _odd_watermarks(f"{setting}.watermark", session, table)


def _view(setting: str, session: Session, table: Table, *, repaired: bool) -> Iterator[Finding]:
    facts = table_facts(session, table)
    yield from _access(setting, table, facts, role(session).name)
    if facts.materialized and repaired:
        yield info(setting, f"{table} is a materialized view: what a refresh changes is found by schedule.verify")
    elif facts.materialized:
        yield Finding(
            Severity.WARNING,
            setting,
            f"{table} is a materialized view, and changes when it is refreshed, which nothing tells",
            "documents stay as they were until syncer verify --repair",
            "run it after each REFRESH, or by a schedule, with schedule.verify and schedule.repair",
        )
    if facts.readable and not facts.policies_apply and (clock := clock_of(session, table)):
        yield Finding(
            Severity.WARNING,
            setting,
            f"{table} tells the time by {clock}: its rows change without a change that could be followed",
            "documents stay as they were until syncer verify --repair",
            "keep a column for it that a job updates, or compute it when you search",
        )


def _access(setting: str, table: Table, facts: TableFacts, user: str) -> Iterator[Finding]:
    if not facts.readable:
        yield Finding(
            Severity.ERROR,
            setting,
            f"{user} may not read {table}",
            "the pipeline stops",
            "grant SELECT",
            remedy.grant_select(table, user),
        )
    if facts.policies_apply:
        yield Finding(
            Severity.ERROR,
            setting,
            f"row-level security hides rows of {table} from {user}",
            "every read fails, because a hidden row would be taken for a deleted one",
            "read as the table's owner, or as a role that policies do not apply to",
            remedy.bypass_policies(user),
        )
    if facts.subscribed:
        yield Finding(
            Severity.WARNING,
            setting,
            f"{table} is filled by a subscription, with the stamps of another server",
            "rows that arrive later than poll.margin after their stamp are missed by polling",
            "follow the publishing server instead, or set poll.margin above the longest delay",
        )


def _key(setting: str, table: Table, facts: TableFacts) -> Iterator[Finding]:
    nullable = [name for name in table.key if table.columns[name].nullable]
    if nullable:
        yield Finding(
            Severity.ERROR,
            setting,
            f"{', '.join(nullable)} may be NULL",
            "a row without a key cannot be told from others, and is missed",
            "forbid NULL",
            remedy.not_null(table, nullable),
        )
    if not facts.key_unique:
        yield Finding(
            Severity.ERROR,
            setting,
            f"no unique index says that {', '.join(table.key)} identifies a row",
            "two rows with one key are taken for one",
            "create one, or name other columns",
            remedy.unique_key(table, partitioned=facts.partitioned),
        )


def _watermark(setting: str, table: Table, facts: TableFacts) -> Iterator[Finding]:
    if not facts.ordered:
        yield Finding(
            Severity.WARNING,
            setting,
            f"no index begins with {', '.join((table.watermark_column.name, *table.key))}",
            "every poll reads and sorts the whole table",
            "create one",
            remedy.polling_index(table, partitioned=facts.partitioned),
        )
    if not facts.touching:
        yield Finding(
            Severity.WARNING,
            setting,
            f"no trigger of {table} seems to set {table.watermark} at an update",
            "a change by anybody who does not set it is not noticed",
            "create one, unless all that write set it to the current time",
            remedy.touch_trigger(table),
        )


def _odd_watermarks(setting: str, session: Session, table: Table) -> Iterator[Finding]:
    found = unreachable(session, table, PostgresSource(session).observe().clock)
    if found.missing:
        yield Finding(
            Severity.WARNING,
            setting,
            f"rows without {table.watermark}: {_count(found.missing)}",
            "polling never delivers them; a first load and a backfill do",
            "stamp them, and forbid NULL",
            remedy.stamp_missing(table),
        )
    if found.infinite:
        yield Finding(
            Severity.WARNING,
            setting,
            f"rows whose {table.watermark} is infinite, or outside of the years 1 to 9999: {_count(found.infinite)}",
            "polling never delivers them; a first load and a backfill do",
            "set it to when they changed",
        )
    if found.future:
        yield Finding(
            Severity.WARNING,
            setting,
            f"rows whose {table.watermark} is in the future: {_count(found.future)}",
            "polling delivers them when it has come; a first load and a backfill at once",
            "set it to when they changed",
        )


def _count(number: int) -> str:
    return f"{number:,}" if number < COUNTED_MAX else f"{number - 1:,} or more"
