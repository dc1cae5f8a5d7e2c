"""Deliver every row again, range by range, so that a killed backfill goes on where it was."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.ledger import Ledger
from syncer.core.report import Report
from syncer.engine.batch import Routings
from syncer.engine.course import prove_current
from syncer.engine.deliver import Delivery, Draw
from syncer.engine.insist import Final, Stopped, insist
from syncer.engine.pipeline import Pipeline, Reader
from syncer.engine.second_look import second_look
from syncer.ports import BackfillProgress

#: (rows settled, rows in all); called from several threads.
OnProgress = Callable[[int, int], None]


#: How often a first load stores how far it is; a process that is killed reads that much again. (A backfill stores it
#: with each batch, since it must say beforehand which keys it sends.)
LOAD_COMMIT_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What a backfill did in this process; not complete when the process was asked to stop."""

    report: Report
    complete: bool
    resumed: bool


def backfill(
    pipeline: Pipeline,
    index: str,
    progress: BackfillProgress,
    *,
    first_load: bool = False,
    skip_unchanged: bool = False,
    restart: bool = False,
    workers: int = 1,
    prove: Callable[[], None] | None = None,
    on_planned: Callable[[int], None] = lambda _rows: None,
    on_progress: OnProgress = lambda _settled, _total: None,
    stopping: Callable[[], bool] | None = None,
) -> Backfilled:
    """Deliver every row of the table into a physical index; goes on with an unfinished backfill unless `restart`.

    first_load: the index is new and nobody else writes to it, so no write can revive a document. Its ranges stay, done,
    until the caller has made the index the one that is followed: else a load killed in between would start again.
    skip_unchanged: look what the index holds, and write what differs from it; not while fields are being filled.
    prove: called before each write, in place of a look whether the index is still of this configuration; what it raises
    ends the backfill. on_planned: called with the rows in all, before the first write.
    stopping: in place of the process's own.
    Raises what `Delivery.run` raises, and TooManyRejections; what is settled by then is kept.
    """
    prove = prove or partial(prove_current, pipeline, index)
    stopping = stopping or pipeline.clock.stopping
    ranges = [] if restart else list(progress.ranges())
    if not first_load and all(part.done for part in ranges):
        ranges = []  # left behind by a load that was killed at its very end
    resumed = bool(ranges)
    if not ranges:
        ranges = _plan(pipeline, progress, stopping)
        if not ranges:
            return Backfilled(Report(), complete=False, resumed=False)
    record = pipeline.store.named(index)
    # Documents that lack what was added have the same hash as others. The fill goes on with ranges that are left.
    skip_unchanged = skip_unchanged and record is not None and not record.filling
    on_planned(sum(part.rows for part in ranges))
    tally = _Tally(ranges, on_progress)
    todo = deque(part for part in ranges if not part.done)

    def work() -> Report:
        reader = pipeline.reader()
        try:
            report = Report()
            while not stopping():
                try:
                    part = todo.popleft()
                except IndexError:  # not asked before: another worker may take the last one in between
                    break
                run = _RangeRun(
                    pipeline, reader, index, progress, part, tally, prove, first_load, skip_unchanged, stopping
                )
                report += run.run()
            return report
        except BaseException:
            todo.clear()
            raise
        finally:
            reader.close()

    with ThreadPoolExecutor(workers, thread_name_prefix="backfill") as threads:
        reports = [future.result() for future in [threads.submit(work) for _ in range(workers)]]
    complete = all(part.done for part in progress.ranges())
    if complete and not first_load:
        progress.finish()
    return Backfilled(sum(reports, Report()), complete, resumed)


def _plan(pipeline: Pipeline, progress: BackfillProgress, stopping: Callable[[], bool]) -> list[KeyRange]:
    """Return the ranges of a new backfill; none where the process is asked to stop meanwhile."""
    reader = pipeline.reader()
    ranges: list[KeyRange] = []
    try:
        for part in reader.keys.divide(pipeline.limits.range_rows):
            if stopping():
                return []
            ranges.append(part)
    finally:
        reader.close()
    progress.plan(ranges)
    return ranges


class _Tally:
    """Rows settled over all ranges."""

    def __init__(self, ranges: Sequence[KeyRange], on_progress: OnProgress) -> None:
        self._settled = {part.number: part.settled_rows for part in ranges}
        self._total = sum(part.rows for part in ranges)
        self._on_progress = on_progress
        on_progress(sum(self._settled.values()), self._total)

    def note(self, part: KeyRange) -> None:
        self._settled[part.number] = part.settled_rows
        settled = sum(self._settled.values())
        self._on_progress(settled, max(self._total, settled))


@dataclass(frozen=True, slots=True)
class _RangeBatch:
    keys: Sequence[Key]
    #: With them, the range is delivered up to here. None: keys that an earlier process had under way.
    through: Key | None
    routings: Routings = field(default_factory=dict)


class _RangeRun:
    """One range, from where it was to its end."""

    def __init__(
        self,
        pipeline: Pipeline,
        reader: Reader,
        index: str,
        progress: BackfillProgress,
        part: KeyRange,
        tally: _Tally,
        prove: Callable[[], None],
        first_load: bool,
        skip_unchanged: bool,
        stopping: Callable[[], bool],
    ) -> None:
        self._pipeline = pipeline
        self._reader = reader
        self._progress = progress
        self._part = part
        self._tally = tally
        self._first_load = first_load
        self._stopping = stopping
        self._delivery: Delivery = pipeline.delivery(
            reader.documents,
            index,
            pipeline.store,
            draw=Draw.BEFORE_HYDRATION,
            recheck_created=not first_load,
            prove=prove,
            first_load=first_load,
            skip_unchanged=skip_unchanged,
        )
        #: Sent and not settled; stored before it is sent.
        self._under_way: deque[Sequence[Key]] = deque()
        self._exhausted = False
        self._stored_at = pipeline.clock.monotonic()
        self._ledger = Ledger()

    def run(self) -> Report:
        report = Report()
        try:
            for batch, delivered in self._delivery.run(self._batches()):
                final, counted = insist(self._delivery, delivered, self._pipeline.clock)
                report += counted
                self._ledger.count(counted)
                self._settle(batch, final)
            self._part = replace(self._part, done=self._exhausted)
        except Stopped:
            pass  # what is still under way is stored as such
        self._advance()
        return report

    def _settle(self, batch: _RangeBatch, final: Final) -> None:
        for key, (outcome, version) in final.items():
            self._ledger.note(key, outcome, version, self._pipeline.clock.now())
        self._under_way.popleft()
        settled_rows = self._part.settled_rows + len(batch.keys)
        position = batch.through if batch.through is not None else self._part.position
        self._part = replace(self._part, position=position, settled_rows=settled_rows)
        self._tally.note(self._part)

    def _batches(self) -> Iterator[_RangeBatch]:
        rows = self._rows
        again = list(self._part.in_flight)
        position = self._part.resume_after
        batches = [_RangeBatch(again[start : start + rows], None) for start in range(0, len(again), rows)]
        # All at once: what the first one stores must not forget the others.
        self._under_way.extend(batch.keys for batch in batches)
        yield from batches
        met = set(again)
        while not self._stopping():
            keys = self._reader.keys.read(position, self._part.through, self._rows)
            if not keys:
                self._exhausted = True
                return
            position = keys[-1]
            if fresh := [key for key in keys if key not in met]:
                yield self._sending(_RangeBatch(fresh, position))

    @property
    def _rows(self) -> int:
        return self._pipeline.pacing.pace.of(self._pipeline.limits.poll.batch_rows)

    def _sending(self, batch: _RangeBatch) -> _RangeBatch:
        self._under_way.append(batch.keys)
        if not self._first_load or self._pipeline.clock.monotonic() - self._stored_at >= LOAD_COMMIT_SECONDS:
            self._advance()
        return batch

    def _advance(self) -> None:
        """Store what is settled and what is under way."""
        in_flight = () if self._first_load else tuple(key for keys in self._under_way for key in keys)
        self._part = replace(self._part, in_flight=in_flight)
        self._stored_at = self._pipeline.clock.monotonic()
        settlement = self._ledger.close()
        open_now = self._progress.advance(self._part, settlement)
        if settlement.dead_letters and not self._first_load:
            mended = second_look(self._delivery, settlement.dead_letters, self._pipeline.clock)
            open_now = self._progress.advance(self._part, mended)
        self._pipeline.budget.spend(open_now, settlement.dead_letters)
