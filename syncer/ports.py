"""What the engine asks of the world; `syncer.adapters` answers with Postgres, Elasticsearch, a model, or memory.

Whole-call failures are exceptions in the groups of `core.error`; what befalls a single row is a value. Unless it says
otherwise, a method may be called again after it raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from syncer.core.change import Hydration, Page, Write
from syncer.core.comparison import Digest, Entry, Found
from syncer.core.index import IndexIdentity, IndexRecord, Phase
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.outcome import Outcome
from syncer.core.position import Position
from syncer.core.settlement import Checkpoint, DeadLetter, Settlement
from syncer.core.source_state import Blocker, Observation, SourceIdentity


class Clock(Protocol):
    """Time, and waiting for it."""

    def now(self) -> datetime:
        """Return the time, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def wait(self, seconds: float) -> bool:
        """Wait, and return early with True when the process is asked to stop."""

    def stopping(self) -> bool:
        """Tell whether the process is asked to stop."""


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

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        """Return up to so many changes from `start`, none above `until`, ordered by watermark and key.

        From a start without key: rows of that very watermark too. Raises SourceUnavailable, SchemaMismatch,
        AccessDenied.
        """


class Tombstones(Protocol):
    """What triggers have noted of rows that are gone."""

    @property
    def name(self) -> str:
        """The name of the feed that reads them."""

    def prune(self, before: datetime, rows: int) -> int:
        """Delete up to so many that were stamped before; return how many. Nothing, where there are no triggers.

        Raises SourceUnavailable, AccessDenied.
        """


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


class Embedder(Protocol):
    """A model that turns texts into vectors. Safe to call from several threads."""

    @property
    def fingerprint(self) -> str:
        """Model, revision, backend and quantisation: vectors of another fingerprint are not comparable."""

    @property
    def dims(self) -> int:
        """The length of a vector."""

    def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """Return a vector for each text, in order: float32, little-endian. Raises EmbedderUnavailable."""


class VectorCache(Protocol):
    """Vectors by model fingerprint and SHA-256 of the text. Losing an entry costs an embedding, no more."""

    def get(self, fingerprint: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the vectors that are there, by digest."""

    def put(self, fingerprint: str, vectors: Mapping[bytes, bytes]) -> None:
        """Store vectors by digest. Idempotent."""


class Sink(Protocol):
    """Where documents are written. Safe to call from several threads."""

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Send one write per key, and return their outcomes in order.

        Writes carry versions (`external_gte`): an older one never replaces a newer one. When it raises, some of the
        writes may have been applied, and may still be: they are hydrated and numbered again, never sent again as they
        are. Raises SinkUnavailable, IndexMissing, AccessDenied.
        """


class Numbers(Protocol):
    """The one sequence that versions are drawn from."""

    def draw(self) -> int:
        """Return a number higher than all that were drawn before, by anybody. Raises StateUnavailable or LeaseLost."""

    def raise_above(self, version: int) -> None:
        """See to it that every later number is above `version`; never lowers. Raises like `draw`."""


class Lease(Numbers, Protocol):
    """The right to poll into one index, held by a session; its numbers are the poller's."""

    @property
    def epoch(self) -> int:
        """Counts the holders."""

    def checkpoints(self) -> Mapping[str, Checkpoint]:
        """Return the committed checkpoints by feed. Raises LeaseLost."""

    def commit(self, settlement: Settlement) -> int:
        """Make it durable in one transaction, fenced by the epoch; return the open dead letters. Raises LeaseLost."""

    def update(
        self,
        *,
        phase: Phase | None = None,
        fingerprint: Mapping[str, str] | None = None,
        identity: IndexIdentity | None = None,
        source: SourceIdentity | None = None,
        verify_needed: str | None = None,
    ) -> None:
        """Change the index's record, what is not None of it, fenced by the epoch. Raises LeaseLost."""

    def prove(self) -> None:
        """Raise LeaseLost unless the lease was held a moment ago, for certain. Cheap, and safe for several threads."""

    def release(self) -> None:
        """Give the lease up. Never raises: a session that is gone has given it up already."""


class BackfillProgress(Protocol):
    """What remains of an index's backfill, held by a session: a process whose session is gone cannot change it.

    Raises LeaseLost. Safe to call from several threads.
    """

    def ranges(self) -> Sequence[KeyRange]:
        """Return the ranges of an unfinished backfill with what is settled of them; none: there is no such backfill."""

    def plan(self, ranges: Sequence[KeyRange]) -> None:
        """Begin a backfill, in place of an unfinished one."""

    def advance(self, range_: KeyRange, settlement: Settlement) -> int:
        """Store how far a range is, and dead letters, in one transaction; return the open dead letters."""

    def finish(self) -> None:
        """Forget the ranges: the backfill is complete."""

    def release(self) -> None:
        """Let others go on with it. Never raises."""


class StateStore(Numbers, Protocol):
    """Everything syncer must remember. Raises StateUnavailable."""

    def index(self, pipeline: str) -> IndexRecord | None:
        """Return the record of the index that the pipeline's daemon follows, if any."""

    def register(self, record: IndexRecord) -> IndexRecord:
        """Store a new record, unless the pipeline has one, and return the one that is there. Safe when raced."""

    def forget(self, index: str) -> None:
        """Delete an index's record and all that hangs on it. Idempotent."""

    def acquire(self, index: str) -> Lease:
        """Take the lease of an index and begin its next epoch. Raises LeaseHeld."""

    def backfill(self, index: str) -> BackfillProgress:
        """Take hold of an index's backfill, which only one process may run at a time. Raises LeaseHeld."""

    def record(self, index: str, settlement: Settlement) -> int:
        """Store dead letters, and close them, for those who hold no lease; there is nothing else in the settlement.

        Returns the open dead letters.
        """

    def mark_verify_needed(self, index: str, reason: str) -> None:
        """Say that the index should be compared with the source. Idempotent."""

    def verified(self, record: IndexRecord, at: datetime) -> None:
        """Say that the index was found equal to the source.

        What asked for it is forgotten (`verify_needed`, `reconcile`), but not what has asked since the record was read.
        """

    def reconciled(self, record: IndexRecord) -> None:
        """Say that the index was compared with the table, which had been truncated.

        Forgets what asked for it, unless it was truncated again since the record was read.
        """

    def least_checkpoint(self, feed: str) -> datetime | None:
        """Return the least watermark up to which any index has settled the feed; None: no index knows the feed."""

    def dead_letters(
        self,
        index: str,
        limit: int = 100,
        *,
        after: DeadLetter | None = None,
        kind: str | None = None,
        keys: Sequence[Key] | None = None,
    ) -> Sequence[DeadLetter]:
        """Return up to so many open dead letters, the one open longest first, from the one behind `after`.

        kind, keys: only those of this kind, and of these keys.
        """

    def passing_letters(self, index: str, at: datetime, limit: int) -> Sequence[Key]:
        """Return keys of dead letters whose cause may pass, and whose next attempt is due by then."""

    def paused(self, pipeline: str) -> datetime | None:
        """Return since when the pipeline is paused; None: it is not."""

    def pause(self, pipeline: str, at: datetime) -> datetime:
        """Pause the pipeline, unless it is paused already; return since when it is."""

    def resume(self, pipeline: str) -> bool:
        """End the pipeline's pause; tell whether there was one."""

    def ask(self, pipeline: str, leases: int | None) -> None:
        """Let others know that this process waits for the pipeline's lease, and how many it has; None: it does not
        wait. Forgotten with the process; to be repeated every few seconds, for it may be forgotten earlier."""

    def asking(self, pipeline: str) -> int | None:
        """Return how many leases the one has that waits for the pipeline's with the fewest; None: nobody waits."""


class Indices(Protocol):
    """Physical indices and aliases. Raises SinkUnavailable, AccessDenied."""

    def create(self, name: str, meta: Mapping[str, object]) -> None:
        """Create a physical index for loading, with its write alias and `_meta.syncer`.

        Does nothing where one of this name is there with the same meta. Raises ConfigurationError where Elasticsearch
        refuses the mapping, or another index of that name is in the way.
        """

    def prove_alias(self, alias: str, pipeline: str) -> None:
        """Raise ConfigurationError where an index itself is called like the alias, or it belongs to somebody else."""

    def identity(self, name: str) -> IndexIdentity:
        """Return what the index is, as far as its shards answer.

        Raises IndexMissing where it or its write alias is gone, and FatalError where `translog.durability` is no longer
        `request`: acknowledged would not mean durable.
        """

    def publish(self, name: str, alias: str) -> None:
        """Restore the settings that loading left out, and point the alias to this index alone, atomically. Idempotent.

        Raises ConfigurationError where an index itself is called like the alias, or the alias belongs to something
        else.
        """

    def delete(self, name: str) -> None:
        """Delete a physical index. Idempotent."""
