"""Compare an index with its table, and mend what differs.

    both sides' digests, in order ──▶ ids that differ ──▶ looked at again ──▶ differences ──▶ delivered, or removed last

The digests of the two sides are never of one moment, and writes go on. So what they differ in is only a suspicion: each
suspect is looked at singly, its row and its documents as they are now, again and again. A difference is what stays
while the documents do not move, or the row does not. Only where both do may it be a write under way each time, and then
nothing is proved. Rejected: the row alone, or the documents alone; a row that changes all the time and is never
delivered would pass for one that is, and so would a document that somebody else writes all the time.

Missing and stale documents take the one path. Documents are removed last, after both sides were read to their ends, and
only where hydration has just said that there is no such row. A read that fails ends everything before that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice

from syncer.core.comparison import Difference, Digest, Entry, suspects
from syncer.core.error import TooManyDeletions, TransientError
from syncer.core.index import IndexRecord
from syncer.engine.insist import Stopped
from syncer.engine.letters import close_letters
from syncer.engine.look import Looker, Seen
from syncer.engine.pipeline import Pipeline, Sides
from syncer.engine.read_ahead import ReadAhead
from syncer.engine.repair import Repair
from syncer.engine.spool import Spool

#: Ids of each kind that are named.
SAMPLES = 100
PENDING_MAX = 50_000
#: Between looks at a suspect, in poll intervals or what is in their place.
PAUSES = (1, 1, 2, 4)
PAUSE_SECONDS_LEAST = 1.0
#: With long intervals all pauses together take one, which a daemon may need, and this. Rejected: a fixed bound; every
#: row that was just written would differ.
BEYOND_SECONDS = 80.0
#: What has moved is watched again.
CYCLES = 3

UNREADABLE = "unreadable"
MOVING = "moving"


@dataclass(slots=True)
class Verified:
    """What a comparison has found so far."""

    #: Rows that should have a document.
    source_rows: int = 0
    #: Rows that the transform leaves without document.
    left_out: int = 0
    indexed: int = 0
    differences: Counter[Difference] = field(default_factory=Counter)
    #: Rows that Postgres or the transform cannot turn into a document. Whatever the index holds of them stays.
    unreadable: int = 0
    #: Ids that differed at every look while row and documents changed: nothing can be told of them.
    moving: int = 0
    #: Differences that were mended, and looked at after that.
    repaired: int = 0
    #: Rows that a repair could not deliver, because the index refuses them: they are kept as dead letters.
    rejected: int = 0
    #: The first ids of each kind.
    samples: dict[str, list[str]] = field(default_factory=dict)
    #: Why documents that should go are still there.
    refused: TooManyDeletions | None = None
    #: Both sides were read to their ends, and nothing went wrong after that.
    complete: bool = False

    @property
    def remaining(self) -> int:
        """Differences that are left, and ids of which nothing can be told."""
        return self.differences.total() - self.repaired + self.unreadable + self.moving

    @property
    def unexplained(self) -> int:
        """Differences that are left, without the rows that nobody can index or that change all the time."""
        return self.remaining - self.moving - self.unreadable - self.rejected

    @property
    def equal(self) -> bool:
        """Tell whether the index is proved to hold what the table does."""
        return self.complete and not self.remaining

    def note(self, id_: str, seen: Seen) -> None:
        """Count an id that is not as it should be."""
        if seen.difference is None:
            self.unreadable += 1
        else:
            self.differences[seen.difference] += 1
        self.sample(seen.difference or UNREADABLE, id_)

    def excuse(self, id_: str, seen: Seen) -> None:
        """Count an id that was noted as a difference as one of which nothing can be told."""
        if seen.difference is not None:
            self.differences -= Counter([seen.difference])
        self.moving += 1
        self.sample(MOVING, id_)

    def sample(self, kind: str, id_: str) -> None:
        """Keep an id where there are few of its kind yet."""
        named = self.samples.setdefault(str(kind), [])
        if len(named) < SAMPLES:
            named.append(id_)


class Verification:
    """One comparison; `verified` says how far it has come, also after an error."""

    def __init__(
        self,
        pipeline: Pipeline,
        sides: Sides,
        record: IndexRecord,
        *,
        deep: bool = False,
        repair: bool = False,
        delete_ratio: float | None = None,
        stopping: Callable[[], bool] | None = None,
        wait: Callable[[float], bool] | None = None,
        pending_max: int = PENDING_MAX,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        """record: read before this, for what has asked for a comparison since is not answered by it.

        deep: compare whole documents, not what they say of themselves. delete_ratio: the share of the index that a
        repair may delete; None: all of it. stopping, wait: in place of the clock's. pending_max: suspects that are held
        until they are looked at again.
        """
        self.verified = Verified()
        self._pipeline = pipeline
        self._sides = sides
        self._record = record
        self._deep = deep
        self._delete_ratio = delete_ratio
        self._stopping = stopping or pipeline.clock.stopping
        self._wait = wait or pipeline.clock.wait
        self._on_progress = on_progress
        rows = pipeline.limits.poll.batch_rows
        self._looker = Looker(sides, pipeline.embedding, pipeline.transform, deep=deep, rows=rows)
        self._repair = Repair(pipeline, sides.documents, self._looker, record) if repair else None
        self._pending_max = pending_max
        self._pending: dict[str, None] = {}
        self._to_remove = Spool()

    def run(self) -> Verified:
        """Compare, mend where that is wanted, and note an index that is equal as verified.

        Returns early, incomplete, when told to stop. Raises what reading and delivering raise.
        """
        try:
            self._compare()
            self._settle()
            self._remove()
            if self._repair is not None:
                close_letters(self._pipeline, self._record, self._looker, self._repair, self._stopping)
        except Stopped:
            return self.verified
        except TransientError:
            if self._stopping():
                return self.verified
            raise
        finally:
            self._to_remove.close()
        self.verified.complete = True
        if self.verified.equal:
            self._pipeline.store.verified(self._record, self._pipeline.clock.now())
        return self.verified

    def _compare(self) -> None:
        """Read both sides to their ends, and gather what differs."""
        source, index = self._sides.source, self._sides.index
        total = max(source.rows(), index.count())
        with (
            closing(ReadAhead(source.pages, self._stopping, source.cancel)) as rows,
            closing(ReadAhead(index.pages, self._stopping)) as entries,
        ):
            found = suspects(self._rows(rows, total), self._entries(entries), every=self._deep)
            ids = chain(self._strangers(), found)
            while batch := list(islice(ids, self._pipeline.limits.poll.batch_rows)):
                before = self._looker.left_out
                self._pending |= dict.fromkeys(self._look(batch))
                # Only here: what differs is looked at again.
                left_out = self._looker.left_out - before
                self.verified.left_out += left_out
                self.verified.source_rows -= left_out
                if len(self._pending) >= self._pending_max:
                    self._settle()

    def _rows(self, pages: Iterable[Sequence[Digest]], total: int) -> Iterator[Digest]:
        for page in pages:
            self.verified.source_rows += len(page)
            read = self.verified.source_rows + self.verified.left_out
            self._on_progress(read, max(total, read))
            yield from page

    def _entries(self, pages: Iterable[Sequence[Entry]]) -> Iterator[Entry]:
        for page in pages:
            self.verified.indexed += len(page)
            yield from page

    def _strangers(self) -> Iterator[str]:
        for page in self._sides.index.strangers():
            self.verified.indexed += len(page)
            yield from page

    def _settle(self) -> None:
        """Find out which of the suspects differ, count them, and deliver those that have a row."""
        pending, self._pending = list(self._pending), {}
        confirmed: dict[str, Seen] = {}
        for cycle in range(CYCLES):
            last, moved = self._watch(pending)
            # What a daemon delivers late moves too, under a row that stands still: it is given all the time there is.
            excused = moved.documents if cycle < CYCLES - 1 else moved.documents & moved.rows
            confirmed |= {id_: seen for id_, seen in last.items() if id_ not in excused}
            pending = [id_ for id_ in last if id_ in excused]
        for id_ in pending:
            self.verified.moving += 1
            self.verified.sample(MOVING, id_)
        for id_, seen in confirmed.items():
            self.verified.note(id_, seen)
        if self._repair is not None:
            self._to_remove.add(id_ for id_, seen in confirmed.items() if seen.unwanted)
            self._deliver({id_: seen for id_, seen in confirmed.items() if seen.deliverable})

    def _deliver(self, seen: Mapping[str, Seen]) -> None:
        if not seen:
            return
        assert self._repair is not None
        self._repair.deliver([each.key for each in seen.values() if each.key is not None])
        last, moved = self._watch(list(seen))
        self.verified.repaired += len(seen) - len(last)
        for id_ in last.keys() & moved.rows & moved.documents:
            # Such as a refused row that was mended, delivered, and written again right before the last look.
            self.verified.excuse(id_, seen[id_])
            del last[id_]
        self._note_rejected(last)
        # Where the row has its document now, what is left of it lies under another routing.
        self._to_remove.add(id_ for id_, each in last.items() if each.unwanted)

    def _note_rejected(self, seen: Mapping[str, Seen]) -> None:
        keys = [each.key for each in seen.values() if each.key is not None]
        letters = self._pipeline.store.dead_letters(self._record.name, len(keys), keys=keys) if keys else ()
        self.verified.rejected += len(letters)

    def _remove(self) -> None:
        """Remove what has no row, unless that is suspiciously much. Both sides were read to their ends."""
        if self._repair is None or not self._to_remove:
            return
        allowed = self._delete_ratio
        if allowed is not None and len(self._to_remove) > allowed * self.verified.indexed:
            self.verified.refused = TooManyDeletions(
                f"{len(self._to_remove)} of {self.verified.indexed} documents have no row any more, a larger share "
                f"than limits.delete_ratio = {allowed:g} lets a repair delete: none was deleted",
                hint="see whether the table is the right one, and whole; if it is: "
                f"syncer verify {self._pipeline.name} --repair --force",
            )
            return
        rows = self._pipeline.limits.poll.batch_rows
        doomed = iter(self._to_remove)
        while ids := list(islice(doomed, rows)):
            if self._stopping():
                raise Stopped
            self._repair.remove(ids)
            self.verified.repaired += len(ids) - len(self._watch(ids)[0])

    def _watch(self, ids: Sequence[str]) -> tuple[dict[str, Seen], _Moved]:
        """Return what differs now and still does after a while, and what of it moved meanwhile."""
        last, moved = self._look(ids), _Moved()
        interval = self._pipeline.limits.interval_seconds
        unit = max(PAUSE_SECONDS_LEAST, min(interval, (interval + BEYOND_SECONDS) / sum(PAUSES)))
        for pause in PAUSES:
            if not last:
                break
            if self._wait(pause * unit) or self._stopping():
                raise Stopped
            before, last = last, self._look(list(last))
            moved.note(before, last)
        return last, moved

    def _look(self, ids: Sequence[str]) -> dict[str, Seen]:
        seen: dict[str, Seen] = {}
        for part in self._looker.look(ids):
            seen |= part
            if self._stopping():
                raise Stopped
        return seen


@dataclass(slots=True)
class _Moved:
    """Ids of which something was another between two looks."""

    rows: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)

    def note(self, before: Mapping[str, Seen], after: Mapping[str, Seen]) -> None:
        self.rows.update(id_ for id_, seen in after.items() if seen.draft != before[id_].draft)
        self.documents.update(id_ for id_, seen in after.items() if seen.documents != before[id_].documents)


def reconcile(pipeline: Pipeline, record: IndexRecord, *, stopping: Callable[[], bool] | None = None) -> Verified:
    """Make the index equal to its table; unless that was truncated, within `limits.delete_ratio`.

    For a thread of its own. record: read before this. Returns early, incomplete, when told to stop; raises like
    `Verification.run`.
    """
    # What merely came to be followed may be the table of a database that is still to be restored.
    allowed = pipeline.limits.delete_ratio if record.truncated is None else None
    with closing(pipeline.sides(record.name)) as sides:
        return Verification(pipeline, sides, record, repair=True, delete_ratio=allowed, stopping=stopping).run()
