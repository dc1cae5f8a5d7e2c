"""The tables of a pipeline that triggers note, as the whole configuration needs them noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncer.adapters.postgres.session import Session
from syncer.app.pipeline_table import pipeline_feeds, pipeline_fields, pipeline_table
from syncer.app.settings import Settings
from syncer.core.error import ConfigurationError
from syncer.core.feed import Feed
from syncer.core.noted_table import NotedTable, noted_tables


def noted_by(session: Session, name: str, settings: Settings, *, lenient: bool = False) -> Sequence[NotedTable]:
    """Return a pipeline's tables, first those that have its key.

    lenient: as if there were no other pipelines that cannot be read. Else raises ConfigurationError for them too: what
    is installed without their columns would note nothing for them from then on.
    """
    return noted_tables(_feeds(session, name, settings), list(_others(session, name, settings, lenient=lenient)))


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
