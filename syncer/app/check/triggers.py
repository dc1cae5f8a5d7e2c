"""The triggers of a pipeline's tables: whether all that is deleted is noted, and can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from syncer.adapters.postgres.installation import installation
from syncer.adapters.postgres.remedy import grant_insert, grant_tombstones
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.trigger_facts import TriggerFacts, trigger_facts
from syncer.app.check.finding import Finding, Severity, info
from syncer.app.noted import CONTEST_HINT, contest, noted_by
from syncer.app.settings import Settings
from syncer.core.noted_table import NotedTable
from syncer.core.table import Table

#: Tables that a finding names; there may be thousands of partitions.
_NAMED_MAX = 3


def check_triggers(session: Session, name: str, settings: Settings) -> Iterator[Finding]:
    """Look at the triggers of a pipeline's tables."""
    tables, feeds = noted_by(session, name, settings, lenient=True), settings.pipelines[name].feeds
    for place, noted in enumerate(tables):
        with_key = place < (len(feeds) or 1)
        setting = f"pipelines.{name}.{'feeds' if feeds else 'table' if with_key else 'relations'}"
        if noted.contested:
            yield Finding(
                Severity.WARNING,
                setting,
                contest(noted),
                "syncer install-triggers refuses, and what is deleted stays until syncer verify --repair",
                CONTEST_HINT,
            )
            continue
        lost = (
            _lost(noted.table) if with_key and (noted.table.watermark or not feeds) else _lost_of_related(noted.table)
        )
        yield from _of_table(session, name, settings, noted, setting, lost)


def _lost(table: Table) -> tuple[str, str]:
    """Return what goes on without triggers, and what follows from it."""
    return (
        f"no triggers note what is deleted from {table}",
        "the document of a deleted row stays until syncer verify --repair"
        + (f", and so does the old one of a row whose {table.routing} changes" if table.routing else "")
        + (f"; a row that {table.soft_delete} marks is removed at once" if table.soft_delete else ""),
    )


def _lost_of_related(table: Table) -> tuple[str, str]:
    if table.watermark is None:
        return (
            f"nothing tells what changes in {table}: it has neither a watermark nor triggers",
            "documents keep what they hold of it until syncer verify --repair, or a backfill",
        )
    return (
        f"no triggers note what is deleted from {table}, or moved to another row",
        "the documents that had it keep it until syncer verify --repair",
    )


def _of_table(
    session: Session, name: str, settings: Settings, noted: NotedTable, setting: str, lost: tuple[str, str]
) -> Iterator[Finding]:
    table, schema = noted.table, settings.state.schema_
    facts = trigger_facts(session, table, schema, noted.columns, holds_state=settings.state.url is None)
    sql = str(installation(noted, schema, facts.around))
    install = f"syncer install-triggers {name}"
    if settings.pipelines[name].poll.wakes and facts.silent:
        yield Finding(
            Severity.WARNING,
            f"pipelines.{name}.poll.wakeup",
            f"no trigger tells of each commit that changes {_some(facts.silent, ', ')}",
            "polls find it at their interval",
            install,
            sql,
        )
    if not facts.installed:
        yield Finding(Severity.WARNING, setting, *lost, install, sql)
        return
    if not facts.around.begun:
        yield Finding(
            Severity.ERROR,
            setting,
            f"triggers of {table} note in {schema}.tombstones, which is gone",
            "every DELETE and TRUNCATE fails",
            install,
            sql,
        )
        return
    faults = list(_faults(facts))
    for what, consequence in faults:
        yield Finding(Severity.WARNING, setting, what, consequence, install, sql)
    if not facts.writable:
        yield Finding(
            Severity.ERROR,
            setting,
            f"{facts.writer}, to whom the triggers' function belongs, may not write to {schema}.tombstones",
            "every DELETE and TRUNCATE fails",
            "grant it",
            grant_insert(schema, facts.writer),
        )
    if not facts.readable or not facts.prunable:
        yield _privilege(setting, schema, facts)
    elif facts.writable and not faults:
        yield info(setting, f"triggers note what is deleted from {table}")


def _faults(facts: TriggerFacts) -> Iterator[tuple[str, str]]:
    """Yield what is wrong that another installation mends, and what follows from it."""
    if not facts.current:
        yield (
            "the triggers were installed for another key, routing or owner, for other relations, or by another version "
            "of syncer",
            "what they note may lead to no document",
        )
    if facts.missing:
        yield f"triggers are missing: {_listed(facts.missing)}", "what they would note stays in the index until verify"
    if facts.disabled:
        yield (
            f"triggers are disabled: {_listed(facts.disabled)}",
            "what they would note stays in the index until verify",
        )
    if facts.sometimes:
        yield (
            f"triggers are not ENABLE ALWAYS: {_listed(facts.sometimes)}",
            "they note nothing of what logical replication deletes, or a session with session_replication_role",
        )


def _privilege(setting: str, schema: str, facts: TriggerFacts) -> Finding:
    reader = facts.around.reader
    if facts.readable:
        what, consequence = f"{reader} may not delete from {schema}.tombstones", "what was read is never pruned"  # noqa: S608  # prose
    else:
        what, consequence = f"{reader} may not read {schema}.tombstones", "the pipeline stops"
    severity = Severity.WARNING if facts.readable else Severity.ERROR
    return Finding(severity, setting, what, consequence, "grant it", grant_tombstones(schema, reader))


def _listed(triggers: Mapping[str, Sequence[str]]) -> str:
    return _some([f"{', '.join(names)} on {table}" for table, names in triggers.items()], "; ", "on ")


def _some(names: Sequence[str], separator: str, preposition: str = "") -> str:
    more = len(names) - _NAMED_MAX
    return separator.join(names[:_NAMED_MAX]) + (f"{separator}and {preposition}{more} more" if more > 0 else "")
