"""The tables that documents are made of."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from syncer.core.change import Hydration, Page
from syncer.core.comparison import Digest
from syncer.core.fan_out import FanOut
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.position import Position, Stretch
from syncer.core.source_state import Blocker, Observation, SourceIdentity
from syncer.ports.clock import Alarm


class Source(Protocol):
    """The source database as a whole. Raises SourceUnavailable."""

    def identity(self) -> SourceIdentity:
        """Return which server this is. Raises ConfigurationError for a standby."""

    def observe(self) -> Observation:
        """Return the clock and then the open transactions, in this order, in one statement."""

    def blockers(self) -> Sequence[Blocker]:
        """Return a few of the open transactions, oldest first, for people to see who holds the horizon."""


class ChangeFeed(Protocol):
    """A table that says which keys changed, in the order of their watermarks."""

    @property
    def name(self) -> str:
        """The feed's name: its checkpoint's name too."""

    @property
    def watermark_zone(self) -> str | None:
        """The zone of the watermark's writers, where the column itself has none."""

    @property
    def reads(self) -> Hashable:
        """What it reads: feeds of one database that read the same answer alike."""

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        """Return up to so many changes from `start`, none above `until`, ordered by watermark and key.

        From a start without key: rows of that very watermark too. Raises SourceUnavailable, SchemaMismatch,
        AccessDenied.
        """


class RelatedFeed(ChangeFeed, Protocol):
    """A feed of another table than the root, whose changes name the documents that its rows are part of.

    A change that fans out stands for more documents than a page holds: `documents` returns them.
    """

    @property
    def way(self) -> str:
        """What tells the way from documents to the table from others."""

    def documents(self, fan_out: FanOut, rows: int) -> Sequence[Key]:
        """Return up to so many keys that are in reach of a fan-out (`after`, `through`), in order.

        Raises like `read`.
        """


class Glance(Protocol):
    """All feeds of a pipeline, looked at in one statement: most polls find nothing to read."""

    def any_change(self, stretches: Mapping[str, Stretch]) -> bool:
        """Tell whether a feed may have a change in its stretch; where that cannot be told, it may.

        stretches: by the feed's name, for every feed. Raises SourceUnavailable.
        """


class Tombstones(Protocol):
    """What triggers have noted of rows that are gone."""

    @property
    def name(self) -> str:
        """The name of the feed that reads them; where there are several, what their names begin with, before ` by `."""

    def prune(self, before: datetime, rows: int) -> int:
        """Delete up to so many that were stamped before; return how many. Nothing, where there are no triggers.

        Raises SourceUnavailable, AccessDenied.
        """


class Wakeups(Protocol):
    """What tells of a commit at once, so that no poll need wait for its time.

    It may miss one, and may tell of none: nothing is lost, for there are polls without it. Never raises.
    """

    def begin(self, alarm: Alarm) -> None:
        """Ring it from now on for each commit that changes a table of the pipeline."""

    def end(self, alarm: Alarm) -> None:
        """Ring it no more."""


class KeyFeed(Protocol):
    """A finite set of keys, in the order of the database."""

    def read(self, after: Key | None, through: Key | None, rows: int) -> Sequence[Key]:
        """Return up to so many keys above `after` and not above `through`, in order; None: no bound.

        Raises SourceUnavailable, SchemaMismatch, AccessDenied.
        """


class TableKeys(KeyFeed, Protocol):
    """The keys of a table."""

    def divide(self, rows: int) -> Iterator[KeyRange]:
        """Yield adjoining ranges of about so many rows that cover every key there is and will be, in order.

        Raises like `read`.
        """


class Documents(Protocol):
    """Hydration."""

    def hydrate(self, keys: Sequence[Key]) -> Hydration:
        """Return what the keys are now: one autocommit statement on the primary, of which no snapshot outlives the
        call.

        Raises SourceUnavailable, SchemaMismatch, AccessDenied: a read error is never an absence.
        """


class SourceDigests(Protocol):
    """What an index should hold, as document ids and hashes. Raises like `Documents`."""

    def rows(self) -> int:
        """Return about how many rows there are, for people to see how far a comparison is."""

    def pages(self) -> Iterator[Sequence[Digest]]:
        """Yield all rows that have a document, as they are at one time, ids rising by code point.

        May be read on a thread of its own, while the other methods are called. Unreadable rows are among them.
        """

    def cancel(self) -> None:
        """Let `pages` raise SourceUnavailable soon, called from another thread than the one that reads them."""

    def keys(self, ids: Sequence[str]) -> Mapping[str, Key]:
        """Return the keys that document ids stand for; those that no row can have are left out."""
