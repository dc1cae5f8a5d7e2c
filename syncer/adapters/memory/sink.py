"""An index in memory that keeps to the rules of external versions, and can misbehave on request."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from syncer.core.change import Document, Draft, Write
from syncer.core.error import ConfigurationError, IndexMissing, SyncerError
from syncer.core.held import Held
from syncer.core.index import Health, IndexIdentity, IndexStatistics, Targets
from syncer.core.key import Key, document_id
from syncer.core.outcome import Applied, Outcome, Stale
from syncer.core.shards import Shards
from syncer.core.vector import Vector


class MemoryIndex:
    """Documents by shard and key with their versions; a removed one leaves its version behind until the shard restarts.

    As in Elasticsearch, routing decides on the shard and is no part of the key: under two routings of one shard there
    is one document.
    """

    def __init__(self, identity: IndexIdentity, shards: int = 1) -> None:
        self.identity = identity
        #: Whether it has the settings for searches.
        self.restored = False
        self._number = shards
        self._lock = threading.Lock()
        self._found: dict[tuple[int, Key], tuple[int, Document | None]] = {}

    def apply(self, write: Write) -> Outcome:
        """Write, unless a higher version is there (`external_gte`)."""
        routing = write.draft.routing if isinstance(write, Document) else write.routing
        place = (self.shard(write.key, routing), write.key)
        with self._lock:
            version, there = self._found.get(place, (-1, None))
            if version > write.version:
                return Stale(version)
            document = write if isinstance(write, Document) else None
            self._found[place] = (write.version, document)
            return Applied(created=there is None and document is not None)

    def held(self, draft: Draft) -> Held | None:
        """Return what is there where a draft belongs."""
        with self._lock:
            version, document = self._found.get((self.shard(draft.key, draft.routing), draft.key), (-1, None))
            return Held(version, document.draft.hash) if document else None

    def shard(self, key: Key, routing: str | None) -> int:
        """Return where a document of this key and routing lives."""
        return self._shard_of(routing or document_id(key))

    @property
    def shards(self) -> Shards:
        return Shards(self._number, self._shard_of)

    def _shard_of(self, routing: str) -> int:
        return zlib.crc32(routing.encode("utf-8", "surrogatepass")) % self._number

    def restart(self) -> None:
        """Forget the versions of removed documents, as Elasticsearch does when a shard restarts."""
        with self._lock:
            self._found = {place: found for place, found in self._found.items() if found[1] is not None}

    def hits(self) -> list[Document]:
        """Return all documents that are there: of one key, there may be one in each shard."""
        with self._lock:
            return [document for _, document in self._found.values() if document is not None]

    def documents(self) -> dict[Key, dict[str, Any]]:
        """Return what a search would find, where no key is there twice."""
        return {document.key: json.loads(document.draft.body) for document in self.hits()}

    def vectors(self) -> dict[Key, Mapping[str, Vector]]:
        """Return the vectors of all documents."""
        return {document.key: document.vectors for document in self.hits()}

    def version(self, key: Key) -> int | None:
        """Return the version of a document that is there."""
        return max((document.version for document in self.hits() if document.key == key), default=None)


class MemorySink:
    """Implements `Sink` on an index. `answer` may return an outcome in place of the write, or raise."""

    def __init__(self, index: MemoryIndex, answer: Callable[[Write], Outcome | None] = lambda _write: None) -> None:
        self._index = index
        self._answer = answer

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return [self._answer(write) or self._index.apply(write) for write in writes]

    def held(self, drafts: Sequence[Draft]) -> Mapping[Key, Held]:
        found = {draft.key: self._index.held(draft) for draft in drafts}
        return {key: held for key, held in found.items() if held is not None}


class MemoryIndices:
    """Implements `Indices`."""

    def __init__(self, shards: int = 1) -> None:
        self.indices: dict[str, MemoryIndex] = {}
        self.aliases: dict[str, str] = {}
        #: Names of indices that others made.
        self.foreign: set[str] = set()
        #: Raised by `publish` while it is set.
        self.publish_outage: SyncerError | None = None
        self.meta: dict[str, Mapping[str, object]] = {}
        #: Rows that were said to come.
        self.expected: dict[str, int] = {}
        #: Documents that were there whenever it was parted.
        self.parted: dict[str, list[int]] = {}
        self._building: set[str] = set()
        self._created = 0
        self._shards = shards

    def create(self, name: str, meta: Mapping[str, object]) -> None:
        if name in self.foreign or (name in self.indices and self.meta[name] != meta):
            raise ConfigurationError(f"another index is called {name}")
        if name not in self.indices:
            self.meta[name] = meta
            self._created += 1
            identity = IndexIdentity(f"uuid-{self._created}", {"0": f"h{self._created}"})
            self.indices[name] = MemoryIndex(identity, self._shards)

    def extend(self, name: str, meta: Mapping[str, object]) -> None:
        self.identity(name)
        self.meta[name] = meta

    def prove_alias(self, alias: str, pipeline: str) -> None:
        if alias in self.foreign:
            raise ConfigurationError(f"{alias} is the name of an index, so that pipeline {pipeline!r} cannot use it")
        for index in self.targets(alias).indices:
            if self.meta[index]["pipeline"] != pipeline:
                raise ConfigurationError(f"alias {alias} points to index {index} of another pipeline")

    def targets(self, alias: str) -> Targets:
        index = self.aliases.get(alias)
        return Targets({index: True} if index in self.indices else {}, is_index=alias in self.foreign)

    def identity(self, name: str) -> IndexIdentity:
        if name not in self.indices:
            raise IndexMissing(f"index {name} is missing")
        return self.indices[name].identity

    def shards(self, name: str) -> Shards:
        self.identity(name)
        return self.indices[name].shards

    def expect(self, name: str, rows: int) -> None:
        self.identity(name)
        self.expected[name] = rows

    def part(self, name: str) -> None:
        self.identity(name)
        self.parted.setdefault(name, []).append(len(self.indices[name].hits()))

    def build_graphs(self, name: str) -> str | None:
        self.identity(name)
        if self.indices[name].restored:
            return None
        self._building.add(name)
        return name

    def is_running(self, task: str) -> bool:
        """Tell that it is when first asked."""
        running = task in self._building
        self._building.discard(task)
        return running

    def restore(self, name: str) -> None:
        self.identity(name)
        self.indices[name].restored = True

    def health(self, name: str) -> Health:
        self.identity(name)
        return Health(green=True, yellow=True, moving=0, unassigned=0)

    def publish(self, name: str, alias: str, *, take_over: bool = False) -> None:
        if self.publish_outage:
            raise self.publish_outage
        self.identity(name)
        if not take_over:
            self.prove_alias(alias, str(self.meta[name]["pipeline"]))
        self.foreign.discard(alias)
        self.aliases[alias] = name

    def statistics(self, names: Sequence[str]) -> Mapping[str, IndexStatistics]:
        there = {name: self.indices[name] for name in names if name in self.indices}
        return {name: IndexStatistics(len(index.hits()), 0, "green") for name, index in there.items()}

    def delete(self, name: str) -> None:
        self.indices.pop(name, None)
        self.aliases = {alias: index for alias, index in self.aliases.items() if index != name}
