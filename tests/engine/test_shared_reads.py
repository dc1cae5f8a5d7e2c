"""What several pipelines of one process read alike is read once, and never too early."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from syncer.adapters.memory.clock import MemoryClock
from syncer.adapters.memory.source import MemoryChangeFeed, MemoryGlance, MemorySource
from syncer.adapters.memory.table import MemoryTable
from syncer.core.change import Page
from syncer.core.error import SourceUnavailable
from syncer.core.position import START, Position
from syncer.core.source_state import Observation
from syncer.engine.shared_reads import KEPT_CHANGES, YOUNG_SECONDS, Reads, SharedReads

ROWS = 3


class CountedSource(MemorySource):
    """Counts its observations."""

    observations = 0

    def observe(self) -> Observation:
        self.observations += 1
        return super().observe()


@dataclass
class CountedFeed(MemoryChangeFeed):
    """Remembers from where it was read."""

    table: MemoryTable
    starts: list[Position] = field(default_factory=list)
    on_read: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        super().__init__(self.table)

    def read(self, start: Position, until: datetime, rows: int) -> Page:
        self.starts.append(start)
        self.on_read()
        return super().read(start, until, rows)


class Side:
    """One pipeline's connection."""

    def __init__(self, shared: SharedReads, table: MemoryTable, clock: MemoryClock) -> None:
        self.source, self.feed = CountedSource(table), CountedFeed(table)
        self.clock, self.shared = clock, shared
        self.reads: Reads = shared.join(self.source, [self.feed], MemoryGlance([self.feed]), clock)

    def keys(self, start: Position = START, rows: int = ROWS, until: timedelta = timedelta()) -> list[str]:
        page = self.reads.read(self.feed, start, self.clock.now() + until, rows)
        return [change.key[0] for change in page.changes]


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def table(clock: MemoryClock) -> MemoryTable:
    table = MemoryTable(clock)
    for key in ("a", "b"):
        table.put((key,))
        clock.advance(1)
    return table


@pytest.fixture
def sides(table: MemoryTable, clock: MemoryClock) -> tuple[Side, Side]:
    shared = SharedReads(patience_seconds=0.02)
    sides = Side(shared, table, clock), Side(shared, table, clock)
    for side in sides:
        clock.advance(1)
        side.reads.observe()
        side.source.observations = 0
    clock.advance(1)
    return sides


def test_two_pipelines_observe_and_read_once(sides: tuple[Side, Side]) -> None:
    """The second one is given what the first one saw and read."""
    one, other = sides
    assert one.reads.observe() is other.reads.observe()
    assert one.keys() == other.keys() == ["a", "b"]
    assert (one.source.observations, other.source.observations) == (1, 0)
    assert (len(one.feed.starts), len(other.feed.starts)) == (1, 0)


def test_a_pipeline_alone_reads_for_itself(table: MemoryTable, clock: MemoryClock) -> None:
    """Also when another one has left; and it rests for the whole interval."""
    shared = SharedReads()
    one, other = Side(shared, table, clock), Side(shared, table, clock)
    clock.advance(0.25)
    assert one.reads.rest(1.0) == pytest.approx(0.75)
    other.reads.close()
    for _ in range(2):
        one.reads.observe()
        assert one.keys() == ["a", "b"]
    assert (one.source.observations, len(one.feed.starts)) == (2, 2)
    assert one.reads.rest(1.0) == 1.0


def test_both_rest_until_one_tick(sides: tuple[Side, Side], clock: MemoryClock) -> None:
    """However long each was at work."""
    one, other = sides
    clock.advance(0.2)
    first = clock.monotonic() + one.reads.rest(1.0)
    clock.advance(0.5)
    assert clock.monotonic() + other.reads.rest(1.0) == pytest.approx(first)
    assert other.reads.rest(0.0) == 0.0


def test_nothing_is_seen_twice(sides: tuple[Side, Side]) -> None:
    """A pipeline that polls again at once observes again."""
    one, other = sides
    first = one.reads.observe()
    assert other.reads.observe() is first
    assert one.reads.observe() is not first


def test_what_was_seen_before_is_not_taken(table: MemoryTable, clock: MemoryClock) -> None:
    """Not by a pipeline that began to poll since: its checkpoints may be of a later time. Nor what is old."""
    shared = SharedReads()
    one, other = Side(shared, table, clock), Side(shared, table, clock)
    clock.advance(1)
    other.reads.observe()
    clock.advance(1)
    seen = one.reads.observe()
    late = Side(shared, table, clock)
    assert late.reads.observe() is not seen
    clock.advance(2 * YOUNG_SECONDS)
    assert other.reads.observe() is not seen


def test_what_was_seen_before_word_of_a_commit_is_not_taken(sides: tuple[Side, Side], clock: MemoryClock) -> None:
    """It lacks that commit, and the pause after it would be a whole one; word that is older asks for nothing new."""
    one, other = sides
    seen = one.reads.observe()
    clock.advance(YOUNG_SECONDS / 2)
    fresh = other.reads.observe(clock.monotonic())
    assert fresh is not seen
    assert one.reads.observe(clock.monotonic()) is fresh


def test_a_crash_that_one_has_noticed_the_others_notice_too(
    sides: tuple[Side, Side], table: MemoryTable, clock: MemoryClock
) -> None:
    """What is seen on a newer connection is not taken before the own one has answered: it may be gone."""
    one, other = sides
    one.reads.close()
    again = Side(other.shared, table, clock)
    clock.advance(1)
    seen = again.reads.observe()
    assert other.reads.observe() is not seen
    clock.advance(1)
    assert again.reads.observe() is other.reads.observe()


def test_a_row_that_came_since_is_in_the_next_poll(
    sides: tuple[Side, Side], table: MemoryTable, clock: MemoryClock
) -> None:
    """Pages belong to the observation that they were read after."""
    one, other = sides
    for side in sides:
        side.reads.observe()
    assert one.keys() == ["a", "b"]
    table.put(("c",))
    clock.advance(1)
    for side in sides:
        side.reads.observe()
        assert side.keys() == ["a", "b", "c"]
    assert len(other.feed.starts) == 0


def test_a_page_that_begins_earlier_serves_who_is_further(sides: tuple[Side, Side], table: MemoryTable) -> None:
    """If it is the last one; else there may be more."""
    one, other = sides
    one.reads.observe()
    other.reads.observe()
    second = Position(table.changes()[1].watermark)
    assert one.keys() == ["a", "b"]
    assert other.keys(second) == ["b"]
    assert other.feed.starts == []
    assert one.keys(rows=1) == ["a"]
    assert other.keys(second, rows=1) == ["b"]
    assert other.feed.starts == [second]


@pytest.mark.parametrize(
    ("start", "until", "rows"),
    [
        (Position(START.watermark), timedelta(seconds=1), ROWS),
        (Position(START.watermark), timedelta(), ROWS + 1),
        (Position(START.watermark, ("a",)), timedelta(), ROWS),
    ],
)
def test_another_question_is_asked(sides: tuple[Side, Side], start: Position, until: timedelta, rows: int) -> None:
    """Another end, another length, another key within a watermark."""
    one, other = sides
    one.reads.observe()
    other.reads.observe()
    one.keys()
    other.keys(start, rows, until)
    assert len(other.feed.starts) == 1


def test_what_one_could_not_read_the_other_reads(sides: tuple[Side, Side]) -> None:
    """The trouble may be its connection's alone."""
    one, other = sides

    def fail() -> None:
        raise SourceUnavailable("the connection is gone")

    one.feed.on_read = fail
    one.reads.observe()
    other.reads.observe()
    with pytest.raises(SourceUnavailable):
        one.keys()
    assert other.keys() == ["a", "b"]


def test_nobody_waits_long_for_another(sides: tuple[Side, Side]) -> None:
    """Whose connection hangs: the others read for themselves."""
    one, other = sides
    hangs, goes_on = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        assert goes_on.wait(30)

    one.feed.on_read = hang
    one.reads.observe()
    other.reads.observe()
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(one.keys)
        assert hangs.wait(30)
        assert other.keys() == ["a", "b"]
        goes_on.set()
        assert reading.result() == ["a", "b"]


def test_who_comes_while_it_is_read_is_given_it(table: MemoryTable, clock: MemoryClock) -> None:
    """Both ask at the same tick: one reads, and the other one waits."""
    shared = SharedReads(patience_seconds=30)
    one, other = Side(shared, table, clock), Side(shared, table, clock)
    for _ in range(2):
        clock.advance(1)
        other.reads.observe()
        one.reads.observe()
    with ThreadPoolExecutor(1) as threads:
        asked = []
        one.feed.on_read = lambda: asked.append(threads.submit(other.keys))
        assert one.keys() == ["a", "b"]
        assert asked[0].result() == ["a", "b"]
    assert other.feed.starts == []


def test_what_is_kept_is_bounded(sides: tuple[Side, Side], table: MemoryTable) -> None:
    """Beyond it each reads for itself."""
    for number in range(KEPT_CHANGES):
        table.put((f"row {number}",))
    one, other = sides
    one.reads.observe()
    other.reads.observe()
    last = table.changes()[KEPT_CHANGES - 1]
    behind = Position(last.watermark, last.key)
    for side in sides:
        assert len(side.keys(rows=KEPT_CHANGES)) == KEPT_CHANGES
        assert len(side.keys(behind)) == 2
    assert other.feed.starts == [behind]
