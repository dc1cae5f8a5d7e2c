"""One poll: read what changed since the checkpoint, deliver it, and only then let the checkpoint follow.

    observe the clock and the open transactions ─▶ plan each feed's scan
        ─▶ glance at all of them, if the last poll found nothing ─▶ read pages ─▶ drop what the window holds
        ─▶ read a portion of what an earlier change led to ─▶ deliver
        ─▶ when all of it is settled: commit checkpoints and dead letters ─▶ remember what was learnt

A poll that fails leaves no trace: whoever runs it drops this poller and starts another one from the committed
checkpoints.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from syncer.core.change import WHOLE_TABLE, Change
from syncer.core.error import SinkUnavailable
from syncer.core.horizon import Horizon, Scan
from syncer.core.key import Key
from syncer.core.ledger import Ledger
from syncer.core.outcome import Applied, Deferred, Outcome, Rejected, Stale
from syncer.core.position import START, Position, Stretch
from syncer.core.report import Report
from syncer.core.settlement import Checkpoint, Settlement
from syncer.core.source_state import Observation
from syncer.core.window import Window
from syncer.engine.deliver import Delivery
from syncer.engine.fan_outs import FanOuts
from syncer.engine.origin import Named, Origin, Place, joined
from syncer.engine.pacing import Pacing
from syncer.engine.polled import Polled
from syncer.engine.rejection import Budget
from syncer.engine.shared_reads import Reads
from syncer.engine.source_clocks import SourceClocks
from syncer.engine.suspicion import Suspicion
from syncer.engine.telemetry import Step, Telemetry
from syncer.ports import ChangeFeed, Clock, Lease, RelatedFeed

#: A quiet poll commits its checkpoint no more often than this; a crash re-reads that much more.
QUIET_COMMIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class PollLimits:
    """The bounds of a poll."""

    batch_rows: int = 1000
    #: How far stamps may lie behind the clock when their transaction begins.
    margin: timedelta = timedelta(seconds=2)
    #: Below `t` a poll ends early after so many pages of `batch_rows`, settles, and the next one goes on from there.
    pages: int = 20
    window_entries: int = 100_000
    #: Keys put off at one time: at half of it reading stops, and above it the poll fails.
    deferred_keys: int = 10_000
    #: Outcomes kept before they are committed.
    ledger_entries: int = 20_000


@dataclass(slots=True)
class _Progress:
    """What one poll has found so far; becomes the poller's knowledge only when the poll settles."""

    report: Report = field(default_factory=Report)
    #: By feed, where a scan ended early.
    reached: dict[str, Position] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    #: Not known before what they say is committed: rejected rows, rows of many documents, tables that were truncated.
    unsaid: list[Origin] = field(default_factory=list)
    deferred: dict[Place, Change] = field(default_factory=dict)
    #: Not only changes: dead letters stay due, and a portion of a fan-out is read again.
    put_off: set[Key] = field(default_factory=set)
    #: Why one key was put off.
    deferred_reason: str | None = None
    reconcile: datetime | None = None
    truncated: bool = False
    retry_after: float | None = None
    #: Somebody else wants the lease: no feed is read further.
    wanted: bool = False
    #: No page held a change.
    quiet: bool = True


class Poller:
    """Polls the feeds of one index under one lease, on one connection's knowledge."""

    def __init__(
        self,
        feeds: Sequence[ChangeFeed],
        reads: Reads,
        delivery: Delivery,
        lease: Lease,
        checkpoints: Mapping[str, Checkpoint],
        clock: Clock,
        clocks: SourceClocks,
        limits: PollLimits,
        budget: Budget,
        pacing: Pacing,
        telemetry: Telemetry,
        delivered: Mapping[str, Sequence[Change]],
        due: Callable[[int], Sequence[Key]],
        wanted: Callable[[], bool],
        related: Sequence[RelatedFeed] = (),
    ) -> None:
        """checkpoints: of the lease, as it was taken.

        delivered: by feed, changes that a load has just taken into account, so that the first poll need not.

        due: returns up to so many keys of dead letters to be tried again. wanted: asked between two pages, tells
        whether the poll should end early because somebody else wants the lease. related: those of the feeds that are.
        """
        self._feeds = feeds
        self._reads = reads
        self._delivery = delivery
        self._lease = lease
        self._clock = clock
        self._clocks = clocks
        self._limits = limits
        self._budget = budget
        self._pacing = pacing
        self._telemetry = telemetry
        self._due = due
        self._wanted = wanted
        self._suspicion = Suspicion()
        self._fan_outs = FanOuts(related, lease, clock, limits.batch_rows)
        self._window = Window(limits.window_entries)
        for feed_name, changes in delivered.items():
            for change in changes:
                self._window.add(feed_name, change)
        #: Put off: the change of the least watermark that asked for it.
        self._deferred: dict[Place, Change] = {}
        self._horizons = {
            feed.name: Horizon.at(checkpoints[feed.name].position if feed.name in checkpoints else START)
            for feed in feeds
        }
        #: As was the last poll: then a glance comes first.
        self._quiet = False
        self._committed = {name: horizon.reached for name, horizon in self._horizons.items()}
        self._committed_at = clock.monotonic() - QUIET_COMMIT_SECONDS

    def poll(self, woken_at: float = -math.inf) -> Polled:
        """Poll once. After an exception this poller must not be used again.

        woken_at: when there was last word of a commit, which what others have seen before may lack.
        """
        with self._telemetry.step(Step.OBSERVE):
            sighting = self._reads.observe(woken_at)
        seen = {feed.name: _as_seen_by(feed, sighting.observation) for feed in self._feeds}
        scans = {
            name: self._horizons[name].begin(
                local.clock - self._limits.margin,
                local.open_since,
                self._limits.margin,
                self._clocks.slip(name, local.clock, sighting.after),
                local.prepared,
            )
            for name, local in seen.items()
        }
        progress = _Progress()
        batches = joined(self._named(scans, progress), lambda: self._batch_rows)
        for batch, delivered in self._delivery.run(batches):
            progress.report += delivered.report
            progress.ledger.count(delivered.report)
            for key, outcome in delivered.outcomes.items():
                self._note(key, batch.origins[key], outcome, delivered.number(key), progress)
            if progress.ledger.entries >= self._limits.ledger_entries:
                # True whatever becomes of this poll, and memory is bounded; the checkpoints wait for its end.
                self._commit(progress.ledger.close())
        self._settle(scans, seen, progress)
        for name, local in seen.items():
            self._clocks.settled(name, local.clock, sighting.before)
        held_back = max((scan.t - scan.checkpoint().watermark for scan in scans.values()), default=timedelta())
        return Polled(
            progress.report,
            bool(progress.reached),
            len(progress.put_off),
            held_back,
            progress.retry_after,
            progress.reconcile is not None,
            progress.deferred_reason,
            max((scans[name].t - at.watermark for name, at in progress.reached.items()), default=timedelta()),
            self._fan_outs.waiting,
            self._fan_outs.caught_up,
            len(self._window),
            self._pacing.pace.share,
        )

    def rest(self, interval: float) -> float:
        """Return how long to wait before the next poll."""
        return self._reads.rest(interval)

    def close(self) -> None:
        """Poll no more. Never raises."""
        self._reads.close()

    def _named(self, scans: Mapping[str, Scan], progress: _Progress) -> Iterator[Named]:
        """Read the feeds, and yield what they name between the dead letters that are due and a portion of a fan-out."""
        for key in self._due(self._batch_rows):
            yield key, None
        for origin in self._origins(scans, progress):
            yield origin.change.key, origin
        # Last, so that fresh changes go first.
        if not (self._clock.stopping() or progress.wanted or progress.put_off):
            for key in self._fan_outs.portion():
                yield key, None

    @property
    def _batch_rows(self) -> int:
        return self._pacing.pace.of(self._limits.batch_rows)

    def _origins(self, scans: Mapping[str, Scan], progress: _Progress) -> Iterator[Origin]:
        for (feed_name, _, _), change in self._deferred.items():
            yield Origin(feed_name, change)
        for feed in self._feeds_to_read(scans):
            for change in self._changes(feed, scans[feed.name], progress):
                origin = Origin(feed.name, change)
                if self._window.holds(feed.name, change) or self._is_deferred(feed.name, change):
                    continue
                if change.fans_out_by is not None:
                    progress.unsaid.append(origin)
                elif change.key == WHOLE_TABLE:
                    progress.reconcile = max(progress.reconcile or change.watermark, change.watermark)
                    progress.truncated |= change.truncated
                    progress.unsaid.append(origin)
                else:
                    yield origin

    def _feeds_to_read(self, scans: Mapping[str, Scan]) -> Sequence[ChangeFeed]:
        """Return none where a glance sees nothing: one statement, where the feeds are one for each table, and more."""
        if not self._quiet or len(self._feeds) == 1:
            return self._feeds
        with self._telemetry.step(Step.READ):
            stretches = {name: Stretch(scan.start.watermark, scan.until) for name, scan in scans.items()}
            return self._feeds if self._reads.any_change(stretches) else ()

    def _is_deferred(self, feed: str, change: Change) -> bool:
        """Tell whether this very change is sent again anyway."""
        return self._deferred.get((feed, change.row, change.key)) == change

    def _changes(self, feed: ChangeFeed, scan: Scan, progress: _Progress) -> Iterator[Change]:
        position, pages = scan.start, 0
        while not self._ends_early(position, scan, pages, progress):
            with self._telemetry.step(Step.READ):
                page = self._reads.read(feed, position, scan.until, self._limits.batch_rows)
            progress.quiet = progress.quiet and not page.changes
            yield from page.changes
            if page.next is None:
                return
            position, pages = page.next, pages + 1
        progress.reached[feed.name] = position

    def _ends_early(self, position: Position, scan: Scan, pages: int, progress: _Progress) -> bool:
        """Tell whether the scan stops here and the next poll goes on.

        Never for its length above `t`: the next poll would start there again and not get further. That part is bounded
        by `until`.
        """
        # Not before the first page: it is asked between the polls too.
        progress.wanted = progress.wanted or (pages > 0 and self._wanted())
        return (
            self._clock.stopping()
            or progress.wanted
            or len(progress.deferred) > self._limits.deferred_keys // 2
            or (pages >= self._limits.pages and position.watermark < scan.t)
        )

    def _note(self, key: Key, origins: Sequence[Origin], outcome: Outcome, version: int, progress: _Progress) -> None:
        # A dead letter knows of no place but the row's own: what is to be removed elsewhere is put off for as long as
        # it takes.
        moved = any(origin.change.routing is not None for origin in origins)
        judged = outcome if moved else self._suspicion.judge(key, outcome)
        if judged is not outcome:
            progress.report += Report(deferred=-1, rejected=1)
            outcome = judged
            self._telemetry.delivered([outcome], Report(rejected=1))
        progress.ledger.note(key, outcome, version, self._clock.now())
        match outcome:
            case Applied() | Stale():
                for origin in origins:
                    self._window.add(origin.feed, origin.change)
            case Rejected():
                progress.unsaid.extend(origins)
            case Deferred(reason, retry_after):
                progress.put_off.add(key)
                progress.deferred_reason = reason
                for origin in origins:
                    place = (origin.feed, origin.change.row, key)
                    known = progress.deferred.get(place)
                    if known is None or origin.change.watermark < known.watermark:
                        progress.deferred[place] = origin.change
                progress.retry_after = max(progress.retry_after or 0.0, retry_after or 0.0)

    def _settle(self, scans: Mapping[str, Scan], seen: Mapping[str, Observation], progress: _Progress) -> None:
        """Commit, and only then learn."""
        if len(progress.deferred) > self._limits.deferred_keys:
            raise SinkUnavailable(
                f"Elasticsearch puts off more than {self._limits.deferred_keys} documents: {progress.deferred_reason}"
            )
        deferred = Counter(feed for feed, _, _ in progress.deferred)
        checkpoints = {
            name: Checkpoint(
                self._checkpoint(name, scan, progress),
                seen[name].clock,
                name not in progress.reached,
                deferred[name],
                progress.deferred_reason if deferred[name] else None,
            )
            for name, scan in scans.items()
        }
        positions = {name: checkpoint.position for name, checkpoint in checkpoints.items()}
        begun = self._fan_outs.begun_by(progress.unsaid)
        fanned_out = self._fan_outs.fanned_out(progress.put_off, begun)
        if fanned_out or self._commit_due(positions, progress):
            settled = progress.ledger.close(checkpoints)
            asked = replace(settled, reconcile=progress.reconcile, truncated=progress.truncated)
            self._commit(replace(asked, fanned_out=fanned_out, begun=begun))
            self._committed, self._committed_at = positions, self._clock.monotonic()
        for origin in progress.unsaid:
            self._window.add(origin.feed, origin.change)
        self._horizons = {name: scan.settled(progress.reached.get(name)) for name, scan in scans.items()}
        self._deferred = progress.deferred
        self._quiet = progress.quiet

    def _commit(self, settlement: Settlement) -> None:
        with self._telemetry.step(Step.COMMIT):
            letters = self._lease.commit(settlement)
        self._budget.spend(letters, settlement.dead_letters)

    def _checkpoint(self, feed: str, scan: Scan, progress: _Progress) -> Position:
        """Return the feed's checkpoint, which passes no row that is put off: memory alone knows of it."""
        position = scan.checkpoint(progress.reached.get(feed))
        for (name, _, _), change in progress.deferred.items():
            if name == feed:
                position = position.not_above(change.watermark)
        return position

    def _commit_due(self, positions: Mapping[str, Position], progress: _Progress) -> bool:
        return bool(
            progress.report.read
            or progress.unsaid
            or any(p.watermark < self._committed[name].watermark for name, p in positions.items())
            or self._clock.monotonic() - self._committed_at >= QUIET_COMMIT_SECONDS
        )


def _as_seen_by(feed: ChangeFeed, observation: Observation) -> Observation:
    return observation.on_wall_clock(feed.watermark_zone) if feed.watermark_zone else observation
