"""Feeds of related rows, read to their end with all documents that their changes lead to."""

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


def led(feed: RelatedFeed, changes: Sequence[Change], rows: int) -> list[Led]:
    """Return what a page names, or the documents of the row that fans out, in portions of so many."""
    if not changes or changes[0].fans_out_by is None:
        return [(change.row, change.key[0] if change.key else "all") for change in changes]
    [change] = changes
    assert change.fans_out_by is not None
    found, fan_out = list[Led](), FanOut(feed.way, change.fans_out_by)
    while portion := feed.documents(fan_out, rows):
        assert len(portion) <= rows
        found += [(change.row, key[0]) for key in portion]
        fan_out = replace(fan_out, after=portion[-1])
    return found
