"""Indices, and what is written to them and read from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from syncer.core.change import Draft, Write
from syncer.core.comparison import Entry, Found
from syncer.core.held import Held
from syncer.core.index import Health, IndexIdentity, IndexRecord, IndexStatistics, Targets
from syncer.core.key import Key
from syncer.core.outcome import Outcome
from syncer.core.shards import Shards


class IndexDigests(Protocol):
    """What an index does hold. An answer for a part of the index is an error, never a short result.

    Raises SinkUnavailable, IndexMissing, AccessDenied.
    """

    def count(self) -> int:
        """Return how many documents there are."""

    def pages(self) -> Iterator[Sequence[Entry]]:
        """Yield all documents that carry a key, as they are at one time, keys rising by code point.

        What was acknowledged before is among them. May be read on a thread of its own.
        """

    def strangers(self) -> Iterator[Sequence[str]]:
        """Yield the ids of all documents that carry no key."""

    def find(self, ids: Sequence[str], *, whole: bool) -> Mapping[str, Sequence[Found]]:
        """Return the documents of these ids as they are now, under every routing; `whole`: with all their fields."""


class Sink(Protocol):
    """Where documents are written. Safe to call from several threads."""

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Send one write per key, and return their outcomes in order.

        Writes carry versions (`external_gte`): an older one never replaces a newer one. When it raises, some of the
        writes may have been applied, and may still be: they are hydrated and numbered again, never sent again as they
        are. Raises SinkUnavailable, IndexMissing, AccessDenied.
        """

    def held(self, drafts: Sequence[Draft]) -> Mapping[Key, Held]:
        """Return what is there now where these drafts belong: all that was acknowledged, searchable or not.

        A document without hash is left out, and one of which the server does not tell now. Raises what `write` raises.
        """


class Indices(Protocol):
    """Physical indices and aliases. Raises SinkUnavailable, AccessDenied."""

    def create(self, name: str, meta: Mapping[str, object]) -> None:
        """Create a physical index for loading, with its write alias and `_meta.syncer`.

        Does nothing where one of this name is there with the same meta. Raises ConfigurationError where Elasticsearch
        refuses the mapping, or another index of that name is in the way.
        """

    def extend(self, name: str, meta: Mapping[str, object]) -> None:
        """Add the fields that the mapping has and the index has not, and store its new `_meta.syncer`. Idempotent.

        Raises ConfigurationError where Elasticsearch refuses, and IndexMissing.
        """

    def prove_alias(self, alias: str, pipeline: str) -> None:
        """Raise ConfigurationError where an index itself is called like the alias, or it belongs to somebody else."""

    def targets(self, alias: str) -> Targets:
        """Return what the alias stands for now; no indices: nothing is called so."""

    def identity(self, name: str) -> IndexIdentity:
        """Return what the index is, as far as its shards answer.

        Raises IndexMissing where it or its write alias is gone, and FatalError where `translog.durability` is no longer
        `request`: acknowledged would not mean durable.
        """

    def shards(self, name: str) -> Shards:
        """Return the shards of an index, which stay what they are. Raises IndexMissing, FatalError.

        An engine that keeps one document of an id, whatever its routing, may name several all the same.
        """

    def expect(self, name: str, rows: int) -> None:
        """Prepare a new index for a load of so many rows. Idempotent. Raises IndexMissing."""

    def part(self, name: str) -> None:
        """Make searchable what a load has written so far, as a piece of its own: all of it at the end would take long,
        and a merge needs two pieces to work on. Raises IndexMissing.
        """

    def build_graphs(self, name: str) -> str | None:
        """Begin to build what searches for vectors need and the load has left out; return the name of the task, if any.

        Until it has ended such searches are exact, and slow. Nothing is left out once `restore` was called. Idempotent.
        Raises IndexMissing.
        """

    def is_running(self, task: str) -> bool:
        """Tell whether such a task has not ended yet. Raises SinkUnavailable where it is lost, or was not done."""

    def restore(self, name: str) -> None:
        """Give the index the settings for searches: replicas and refresh interval, as configured. Idempotent.

        Raises IndexMissing.
        """

    def health(self, name: str) -> Health:
        """Return where its shards are, after waiting some seconds for all of them. Raises IndexMissing."""

    def publish(self, name: str, alias: str, *, take_over: bool = False) -> None:
        """Make all that was written searchable, and point the alias to this index alone, for writes too: atomically.

        Idempotent. take_over: also where the alias belongs to something else, which loses it; or where an index itself
        is called like it, which is deleted in the same step. Raises ConfigurationError without it, and IndexMissing.
        """

    def statistics(self, names: Sequence[str]) -> Mapping[str, IndexStatistics]:
        """Return what these indices take; those that are not there are left out."""

    def delete(self, name: str) -> None:
        """Delete a physical index. Idempotent."""


class Lifecycle(Protocol):
    """What Elasticsearch does with an index as it ages. Raises LifecycleRefused, SinkUnavailable, IndexMissing.

    Refused: it cannot be done on this server, or not by us; the index is as good as before.
    """

    def apply(self, record: IndexRecord) -> None:
        """Let the index age as its role asks, and as is configured now: not at all, where nothing is. Idempotent.

        The index that is followed is never deleted for its age; a kept one is, counted from when it was kept.
        """

    def release(self, record: IndexRecord) -> None:
        """Let the index age no more: before a kept one is followed again, which its age would delete. Idempotent."""
