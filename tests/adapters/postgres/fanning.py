"""Feeds of related rows, read to their end with the rest that their changes name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from syncer.core.change import Change
from syncer.core.fan_out import FanOut
from syncer.core.key import Key
from syncer.core.position import START, Position
from syncer.ports.source import RelatedFeed

#: A related row, and the first part of the key of a document.
Led = tuple[Key | None, str]

LATER = datetime(2999, 1, 1, tzinfo=UTC)


def pages_of(feed: RelatedFeed, rows: int, start: Position = START) -> Sequence[Sequence[Change]]:
    """Return the pages up to the last one; no position comes twice."""
    pages = []
    position: Position | None = start
    while position is not None:
        page = feed.read(position, LATER, rows)
        assert len(page.changes) <= rows
        pages.append(page.changes)
        assert page.next != position
        position = page.next
    return pages


def rest_of(feed: RelatedFeed, changes: Sequence[Change], rows: int) -> list[Led]:
    """Return what is left of a page's last row, in portions of so many documents."""
    if not changes or changes[-1].rest is None:
        return []
    last, found = changes[-1], list[Led]()
    assert last.rest is not None
    fan_out = FanOut(feed.name, last.rest, last.key)
    while portion := feed.documents(fan_out, rows):
        assert len(portion) <= rows
        found += [(last.row, key[0]) for key in portion]
        fan_out = replace(fan_out, after=portion[-1])
    return found


def led(changes: Sequence[Change]) -> list[Led]:
    return [(change.row, change.key[0]) for change in changes]
