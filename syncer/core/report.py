"""Counts of what was delivered."""

from __future__ import annotations

from dataclasses import dataclass, fields

from syncer.core.text_counts import TextCounts


@dataclass(frozen=True, slots=True)
class Report:
    """What a poll, a backfill or a resync did; reports add up."""

    #: Keys read from feeds.
    read: int = 0
    applied: int = 0
    #: Of those applied, the documents that were there already as they would have been written.
    unchanged: int = 0
    stale: int = 0
    rejected: int = 0
    #: Writes put off, each of which was sent again later.
    deferred: int = 0
    embedded: int = 0
    #: Texts whose vector was in the cache.
    cached: int = 0
    #: Of those embedded, the texts whose end the model did not read.
    truncated: int = 0

    def __add__(self, other: Report) -> Report:
        return Report(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def texts(self) -> TextCounts:
        return TextCounts(self.embedded, self.cached, self.truncated)

    @property
    def written(self) -> int:
        """Keys that reached an outcome other than deferred."""
        return self.applied + self.stale + self.rejected
