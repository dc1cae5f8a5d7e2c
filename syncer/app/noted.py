"""The tables of a pipeline that triggers note, as the whole configuration needs them noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncer.adapters.postgres.session import Session
from syncer.app.pipeline_table import pipeline_fields, pipeline_table
from syncer.app.settings import Settings
from syncer.core.error import ConfigurationError
from syncer.core.noted_table import Documents, NotedTable, noted_tables
from syncer.core.way import ways


def noted_by(session: Session, name: str, settings: Settings) -> Sequence[NotedTable]:
    """Return a pipeline's tables, the root first. Raises ConfigurationError where the pipeline's are not there."""
    return noted_tables(_documents(session, name, settings), list(_others(session, name, settings)))


def _documents(session: Session, name: str, settings: Settings) -> Documents:
    pipeline = settings.pipelines[name].without_conditions()
    table = pipeline_table(session, name, pipeline)
    return table, ways(pipeline_fields(session, name, pipeline, table))


def _others(session: Session, name: str, settings: Settings) -> Iterator[Documents]:
    for other in settings.pipelines:
        if other == name:
            continue
        try:
            yield _documents(session, other, settings)
        except ConfigurationError:
            # Told where it is run; it keeps nobody from installing what this one needs.
            continue
