"""The tables of a pipeline that triggers note, as the whole configuration needs them noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncer.adapters.postgres.session import Session
from syncer.app.pipeline_table import pipeline_feeds, pipeline_fields, pipeline_table
from syncer.app.settings import Settings
from syncer.core.error import ConfigurationError
from syncer.core.feed import Feed
from syncer.core.noted_table import NotedTable, noted_tables


def noted_by(session: Session, name: str, settings: Settings) -> Sequence[NotedTable]:
    """Return a pipeline's tables, first those that have its key. Raises ConfigurationError where one is not there."""
    return noted_tables(_feeds(session, name, settings), list(_others(session, name, settings)))


def _feeds(session: Session, name: str, settings: Settings) -> Sequence[Feed]:
    pipeline = settings.pipelines[name].without_conditions()
    table = pipeline_table(session, name, pipeline)
    fields = pipeline_fields(session, name, pipeline, table)
    return pipeline_feeds(session, name, pipeline, table, fields)


def _others(session: Session, name: str, settings: Settings) -> Iterator[Feed]:
    for other in settings.pipelines:
        if other == name:
            continue
        try:
            yield from _feeds(session, other, settings)
        except ConfigurationError:
            # Told where it is run; it keeps nobody from installing what this one needs.
            continue
