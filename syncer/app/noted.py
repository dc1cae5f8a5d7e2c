"""The tables of a pipeline that triggers note, as the whole configuration needs them noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncer.adapters.postgres.session import Session
from syncer.app.pipeline_table import pipeline_feeds, pipeline_fields, pipeline_table
from syncer.app.settings import Settings
from syncer.core.error import ConfigurationError
from syncer.core.feed import Feed
from syncer.core.noted_table import NotedTable, noted_tables

CONTEST_HINT = (
    "give them the same key and routing; or leave the triggers out, and run syncer verify --repair by a schedule"
)


def noted_by(session: Session, name: str, settings: Settings, *, lenient: bool = False) -> Sequence[NotedTable]:
    """Return a pipeline's tables, first those that have its key.

    lenient: as if there were no other pipelines that cannot be read. Else raises ConfigurationError for them too: what
    is installed without their columns would note nothing for them from then on; and where a table is contested.
    """
    found = noted_tables(_feeds(session, name, settings), list(_others(session, name, settings, lenient=lenient)))
    for noted in found:
        if noted.contested and not lenient:
            raise ConfigurationError(f"pipelines.{name}: {contest(noted)}", hint=CONTEST_HINT)
    return found


def contest(noted: NotedTable) -> str:
    """Return what is wrong with a contested table."""
    return f"several pipelines have the table {noted.table}, with different keys or routings: triggers note one of each"


def _feeds(session: Session, name: str, settings: Settings) -> Sequence[Feed]:
    pipeline = settings.pipelines[name].without_conditions()
    table = pipeline_table(session, name, pipeline)
    fields = pipeline_fields(session, name, pipeline, table)
    return pipeline_feeds(session, name, pipeline, table, fields)


def _others(session: Session, name: str, settings: Settings, *, lenient: bool) -> Iterator[Feed]:
    for other in settings.pipelines:
        if other == name:
            continue
        try:
            yield from _feeds(session, other, settings)
        except ConfigurationError:
            if not lenient:
                raise
