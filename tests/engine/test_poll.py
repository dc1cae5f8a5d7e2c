"""What a poll reads and delivers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncer.adapters.memory.source import MemoryDocuments
from syncer.adapters.memory.table import MemoryRelation, MemoryTable
from syncer.core.change import Document, Removal
from syncer.engine.deliver import Draw
from tests.builders import World, a_world
from tests.engine.intercepted import Call, intercepted


def keys_written(world: World) -> list[str]:
    return [write.key[0] for write in world.written]


def test_a_changed_row_is_delivered_and_a_quiet_poll_writes_nothing() -> None:
    """Rows are delivered once, although every poll reads back to its margin."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.table.put(("1",), n=1)
        assert poll().report.applied == 1
        assert [poll().report.read for _ in range(5)] == [0, 0, 0, 0, 0]
        world.table.put(("1",), n=2)
        assert poll().report.applied == 1
    assert world.equal()
    assert keys_written(world) == ["1", "1"]


def test_polls_that_find_nothing_ask_the_source_twice_however_many_feeds_there_are() -> None:
    """For what is open, and with a glance at all feeds; what it sees is read in the same poll."""
    world = a_world()
    for name in ("author", "tag"):
        world.table.relations.append(MemoryRelation(name, MemoryTable(world.clock, f"public.{name}"), of_root=name))
    calls: list[str] = []

    def count(call: Call) -> Any:
        calls.append(call.name)
        return call()

    world.pipeline = intercepted(world.pipeline, count)

    def asked() -> list[str]:
        found = [call for call in calls if call.split(".")[0] in {"source", "feed", "glance"}]
        calls.clear()
        return found

    with world.following() as poll:
        poll()
        world.table.put(("a",))
        poll()
        world.clock.advance(10)
        # This one still reads back to the row, and the next one finds nothing.
        poll()
        poll()
        asked()
        poll()
        assert asked() == ["source.observe", "glance.any_change"]
        world.table.put(("b",))
        poll()
        assert asked() == ["source.observe", "glance.any_change", *["feed.read"] * 6]
        assert world.equal()


@pytest.mark.parametrize("shows_start", [True, False])
def test_a_row_committed_after_later_rows_were_read_is_delivered(shows_start: bool) -> None:
    """† It appears below the greatest watermark already read, however long its transaction was open."""
    world = a_world()
    world.table.shows_start = shows_start
    with world.following() as poll:
        poll()
        late = world.table.begin()
        late.put(("late",), n=0)
        for second in range(60):
            world.clock.advance(1)
            world.table.put((f"{second:02}",), n=second)
            poll()
        late.commit()
        poll()
    assert world.equal()


def test_a_transaction_that_was_open_costs_one_rescan_and_no_rewrite() -> None:
    """What the window holds is read again but not delivered again."""
    world = a_world()
    with world.following() as poll:
        poll()
        late = world.table.begin()
        for second in range(30):
            world.clock.advance(1)
            world.table.put((f"{second:02}",), n=second)
            poll()
        written = len(world.written)
        late.rollback()
        poll()
        assert len(world.written) == written


def test_the_checkpoint_waits_for_open_transactions() -> None:
    """After a crash, what they commit is above the checkpoint."""
    world = a_world()
    with world.following() as poll:
        poll()
        began = world.clock.now()
        late = world.table.begin()
        late.put(("late",), n=0)
        for _ in range(10):
            world.clock.advance(10)
            world.table.put(("x",), n=1)
            poll()
    assert world.checkpoint().position.watermark <= began
    late.commit()
    world.worker().run_once()
    assert world.equal()


def test_two_updates_within_one_whole_second_watermark_both_arrive() -> None:
    """† The window holds the row version, not the watermark alone."""
    world = a_world()
    with world.following() as poll:
        poll()
        second = world.clock.now().replace(microsecond=0)
        world.table.put(("1",), second, n=1)
        poll()
        world.table.put(("1",), second, n=2)
        poll()
    assert world.equal()


def test_many_rows_of_one_watermark_are_delivered_once_each_in_bounded_polls() -> None:
    """† A single watermark longer than a poll keeps the key in the checkpoint."""
    world = a_world(batch_rows=10, pages=3, window_entries=5)
    with world.following() as poll:
        poll()
        when = world.clock.now()
        bulk = world.table.begin()
        for i in range(500):
            bulk.put((f"{i:03}",), when, n=i)
        bulk.commit()
        world.clock.advance(60)
        polls = 1
        while poll().more:
            polls += 1
            assert polls < 100
    assert world.equal()
    assert len(world.written) == 500


def test_a_backlog_resumes_where_it_stopped_although_something_is_always_open() -> None:
    """† Each poll settles what it reached; transactions that come and go do not send it back."""
    world = a_world(batch_rows=10, pages=2, window_entries=30)
    world.worker().run_once()
    start = world.clock.now()
    for i in range(1000):
        world.table.put((f"{i:04}",), start + timedelta(seconds=i), n=i)
    world.clock.advance(2000)
    short = world.table.begin()
    with world.following() as poll:
        polls = 1
        while poll().more:
            short.commit()
            short = world.table.begin()
            polls += 1
            assert polls < 120, "it must progress with each poll, not start over"
    assert world.equal()
    assert len(world.written) < 1100


def test_a_poll_of_a_table_that_changes_as_it_is_read_ends() -> None:
    """† Nothing above the clock at which the poll began, plus the margin, is read."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.table.put(("ahead",), world.clock.now() + timedelta(seconds=60), n=1)
        assert poll().report.read == 0
        world.clock.advance(61)
        assert poll().report.read == 1


def test_a_clock_that_steps_back_loses_nothing_although_polls_are_far_apart() -> None:
    """† 60 s back between two polls that are 70 s apart: the clock never seems to have gone back."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.clock.advance(10)
        world.table.put(("before",), n=1)
        poll()
        world.clock.step(-60)
        world.clock.advance(5)
        world.table.put(("after",), n=2)
        world.clock.advance(65)
        poll()
    assert world.equal()


def test_daylight_saving_is_a_clock_that_steps_back() -> None:
    """† A column without time zone repeats an hour in autumn; rows of the second pass are not lost."""
    world = a_world(watermark_zone="Europe/Berlin")
    autumn = datetime(2026, 10, 25, 0, 59, 30, tzinfo=UTC)
    world.clock.step((autumn - world.clock.now()).total_seconds())

    def wall(instant: datetime) -> datetime:
        hours = 2 if instant < datetime(2026, 10, 25, 1, tzinfo=UTC) else 1
        return instant + timedelta(hours=hours)

    with world.following() as poll:
        poll()
        for i in range(120):
            world.clock.advance(1)
            world.table.put((f"{i:03}",), wall(world.clock.now()), n=i)
            poll()
    assert world.equal()


def test_a_row_that_is_gone_when_it_is_hydrated_is_removed() -> None:
    """The feed says that something changed; hydration says what it is now."""
    world = a_world()
    world.table.put(("1",), n=1)
    world.worker().run_once()
    world.table.delete(("1",))
    lease = world.store.acquire(world.record.name)
    delivery = world.pipeline.delivery(
        MemoryDocuments(world.table), world.record.name, lease, draw=Draw.AFTER_HYDRATION, recheck_created=False
    )
    delivery.deliver([("1",)])
    assert isinstance(world.written[-1], Removal)
    assert world.equal()


def test_texts_are_embedded_once_and_then_come_from_the_cache() -> None:
    """Unchanged text is never embedded twice."""
    world = a_world(embedding=True)
    with world.following() as poll:
        poll()
        world.table.put(("1",), text="same")
        world.table.put(("2",), text="same")
        world.table.put(("3",), text="  ")
        assert poll().report.embedded == 1
        world.table.put(("1",), text="same", n=2)
        report = poll().report
        assert (report.embedded, report.cached) == (0, 1)
    assert world.embedder.asked == ["same"]
    vectors = world.index.vectors()
    assert vectors[("1",)] == vectors[("2",)] != {}
    assert vectors[("3",)] == {}
    assert all(isinstance(write, Document) for write in world.written)


def test_many_rows_within_the_margin_are_delivered_in_one_poll_and_then_it_rests() -> None:
    """A poll that ended early above `t` would start at `t` again, and never get further."""
    world = a_world(batch_rows=2, pages=5)
    with world.following() as poll:
        poll()
        for i in range(40):
            world.table.put((f"{i:02}",), n=i)
        polled = poll()
        assert (polled.report.applied, polled.more) == (40, False)
    assert world.equal()
