"""An index on its way to the alias: loaded, followed, given the settings for searches, compared, and swapped in."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from math import inf

from syncer.core.error import FatalError, SinkUnavailable
from syncer.core.index import Phase, Role
from syncer.core.report import Report
from syncer.engine.attach import attach, current
from syncer.engine.events import Events
from syncer.engine.fill import fill_added
from syncer.engine.following import Following
from syncer.engine.insist import Stopped
from syncer.engine.pipeline import Pipeline, Reader
from syncer.engine.polled import Polled
from syncer.engine.publish import wait_for_shards
from syncer.engine.source_clocks import SourceClocks
from syncer.engine.swap import swap
from syncer.engine.verify import Verification, Verified
from syncer.ports import ChangeFeed, Lease

#: Between two polls, at most.
INTERVAL_SECONDS_MAX = 1.0
#: An index that somebody follows was polled no longer ago than this, or than two of its intervals.
FOLLOWED_SECONDS = 60.0
#: How long the index that is searched may go without anybody who follows it.
CATCH_UP_SECONDS = 60.0


class Succession:
    """One index, whose lease is held, and the steps that are left to it."""

    def __init__(self, pipeline: Pipeline, events: Events, lease: Lease, workers: int = 1) -> None:
        # What waits for a catch-up must not wait for the next poll of a pipeline that polls rarely.
        interval = min(pipeline.limits.interval_seconds, INTERVAL_SECONDS_MAX)
        self._interval_seconds = pipeline.limits.interval_seconds
        self._pipeline = replace(pipeline, limits=replace(pipeline.limits, interval_seconds=interval))
        self._events = events
        self._lease = lease
        self._workers = workers
        self.report = Report()
        self.verified: Verified | None = None

    def run(self, *, swaps: bool, take_over: bool) -> bool:
        """Go through them; False where the process was asked to stop on the way."""
        try:
            return self._steps(swaps=swaps, take_over=take_over)
        except Stopped:
            return False

    def _steps(self, *, swaps: bool, take_over: bool) -> bool:
        pipeline, events, lease = self._pipeline, self._events, self._lease
        clocks = SourceClocks()
        with ExitStack() as held:
            reader = pipeline.reader()
            held.callback(reader.close)
            followed = self._followed_until_now(reader)
            events.building(current(pipeline, lease))
            attached = attach(pipeline, reader, lease, clocks, events, workers=self._workers, publishes=False)
            self.report += attached.loaded
            if not attached.complete:
                return False
            following = Following(pipeline, reader, lease, attached, clocks, events, yields=False)
            held.callback(following.close)
            polls = held.enter_context(closing(following.polls()))
            self._catch_up(polls)
            if not (followed and self._is_complete()) and not self._make_ready(polls):
                return False
            if swaps:
                swap(pipeline, lease, events, lambda: self._catch_up_soon(polls), take_over=take_over)
        return True

    def _make_ready(self, polls: Generator[Polled, None, None]) -> bool:
        """Give the index the settings for searches, and prove that it equals the table."""
        pipeline, events, lease = self._pipeline, self._events, self._lease
        events.building(current(pipeline, lease))
        if not wait_for_shards(pipeline, lease.index, events):
            return False
        fill_added(pipeline, lease, events)
        self._catch_up(polls)
        self._prove_equal(polls)
        if current(pipeline, lease).role is not Role.KEPT:
            lease.update(phase=Phase.READY)
            events.building(current(pipeline, lease))
        return True

    def _prove_equal(self, polls: Generator[Polled, None, None]) -> None:
        """Compare the index with the table and mend what differs, polling wherever the comparison waits."""
        pipeline = self._pipeline
        record = current(pipeline, self._lease)
        with closing(pipeline.sides(record.name)) as sides:
            verification = Verification(
                pipeline,
                sides,
                record,
                repair=True,
                wait=lambda seconds: self._poll_for(polls, seconds),
                on_progress=self._events.comparing,
            )
            verified = self.verified = verification.run()
        if not verified.complete:
            raise Stopped
        if verified.unexplained:
            raise FatalError(
                f"index {record.name} differs from its table in {verified.unexplained} rows after it was built: "
                f"{', '.join(sorted({id_ for ids in verified.samples.values() for id_ in ids})[:5])}; "
                "it was not put in place",
                hint=f"compare it again: syncer rebuild {pipeline.name}; or begin anew with --restart",
            )

    def _poll_for(self, polls: Generator[Polled, None, None], seconds: float, at_most: float = inf) -> bool:
        """Poll for about so long, and to the end of what is committed; True when told to stop.

        at_most: seconds; raises SinkUnavailable where it takes longer.
        """
        clock = self._pipeline.clock
        begun = clock.monotonic()
        for polled in polls:
            self.report += polled.report
            if polled.caught_up and clock.monotonic() >= begun + seconds:
                return False
            if clock.monotonic() >= begun + at_most:
                raise SinkUnavailable(
                    f"index {self._lease.index} has not caught up within {at_most:g} s, so the index before is "
                    f"searched on; {polled.deferred} documents are put off",
                    hint="the same command tries it again",
                )
        return True

    def _catch_up(self, polls: Generator[Polled, None, None]) -> None:
        if self._poll_for(polls, 0.0):
            raise Stopped

    def _catch_up_soon(self, polls: Generator[Polled, None, None]) -> None:
        """Catch up while nobody follows the index that is searched."""
        if self._poll_for(polls, 0.0, CATCH_UP_SECONDS):
            raise Stopped
        if self.verified is None:
            # It is as good as what polls deliver; repairs, backfills and replays went to the other one alone.
            self._lease.update(verify_needed="it was put in its place without a comparison")

    def _followed_until_now(self, reader: Reader) -> bool:
        """Tell whether somebody has polled all feeds of the index to their ends just now; to be asked before we do."""
        checkpoints = self._lease.checkpoints()
        within = timedelta(seconds=max(FOLLOWED_SECONDS, 2 * self._interval_seconds))
        observation = reader.source.observe()

        def is_fresh(feed: ChangeFeed) -> bool:
            checkpoint = checkpoints.get(feed.name)
            local = observation.on_wall_clock(feed.watermark_zone) if feed.watermark_zone else observation
            return checkpoint is not None and checkpoint.complete and local.clock - checkpoint.polled_at <= within

        return all(is_fresh(feed) for feed in reader.feeds)

    def _is_complete(self) -> bool:
        """Tell whether the index was compared once, and nothing has asked for a comparison since: like a live one."""
        record = current(self._pipeline, self._lease)
        wanting = record.verify_needed or record.reconcile or record.filling
        return record.phase in {Phase.READY, Phase.KEPT} and not wanting
