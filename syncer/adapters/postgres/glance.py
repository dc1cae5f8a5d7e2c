"""All feeds of a pipeline, asked in one statement whether there is anything to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import BindParameter, ClauseElement, Select, exists, or_, select
from sqlalchemy.sql.visitors import cloned_traverse

from syncer.adapters.postgres.session import Session
from syncer.core.error import SourceUnavailable, SyncerError
from syncer.core.position import Stretch
from syncer.ports import ChangeFeed

_Statement = TypeVar("_Statement", bound=ClauseElement)


class GlancedFeed(ChangeFeed, Protocol):
    """A feed of which a glance sees the first change."""

    def first(self) -> Select[Any]:
        """Return the SELECT of the first change from the parameter `start` on, not above the parameter `until`.

        Without triggers, of whether they are there by now.
        """

    def parameter(self, watermark: datetime) -> datetime:
        """Return what the statement is given for a watermark."""


class PostgresGlance:
    """Implements `Glance`."""

    def __init__(self, session: Session, feeds: Sequence[GlancedFeed]) -> None:
        self._session = session
        self._feeds = feeds
        # Kept while it sees nothing: it takes longer to put together than to execute.
        self._statement: Select[tuple[bool]] | None = None

    def any_change(self, stretches: Mapping[str, Stretch]) -> bool:
        """Tell whether a feed may have a change in its stretch."""
        values: dict[str, datetime] = {}
        for number, feed in enumerate(self._feeds):
            stretch = stretches[feed.name]
            values[f"start_{number}"] = feed.parameter(stretch.start)
            values[f"until_{number}"] = feed.parameter(stretch.until)
        if self._statement is None:
            self._statement = _any_of(self._feeds)
        try:
            with self._session.use() as connection:
                found = bool(connection.scalar(self._statement, values))
        except SourceUnavailable:
            raise
        except SyncerError:
            # Which feed it is, and whether it matters, its own read tells.
            found = True
        if found:
            # What is read now may find triggers, or that there are none any more.
            self._statement = None
        return found


def _any_of(feeds: Sequence[GlancedFeed]) -> Select[tuple[bool]]:
    # Each with its ORDER BY and LIMIT: an index answers it as it answers a page, whatever the planner expects to find.
    firsts = (_numbered(feed.first(), number).subquery() for number, feed in enumerate(feeds))
    return select(or_(*(exists().select_from(first) for first in firsts)))


def _numbered(statement: _Statement, number: int) -> _Statement:
    """Return it with parameters of its own: `start_0` for `start`."""

    def rename(parameter: BindParameter[Any]) -> None:
        if not parameter.unique:
            parameter.key = f"{parameter.key}_{number}"

    return cloned_traverse(statement, {}, {"bindparam": rename})
