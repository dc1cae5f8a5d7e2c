"""What a poll settles, what it leaves unsettled, and what a failed one leaves behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncer.core.change import Write
from syncer.core.error import SinkUnavailable, TooManyRejections
from syncer.core.outcome import Deferred, Rejected
from tests.builders import a_world


def test_a_failed_poll_leaves_no_trace() -> None:
    """† The transaction that ended before it is still read for by the next one."""
    world = a_world()
    world.worker().run_once()
    late = world.table.begin()
    late.put(("late",), n=1)
    with world.following() as poll:
        for _ in range(3):
            world.clock.advance(5)
            poll()
        late.commit()
        world.table.put(("other",), n=1)
        world.outage = SinkUnavailable("away")
        with pytest.raises(SinkUnavailable):
            poll()
        world.outage = None
    world.worker().run_once()
    assert world.equal()


def test_a_rejected_row_is_a_dead_letter_and_does_not_hold_the_checkpoint() -> None:
    """A later good write of the row settles it."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.answers[("bad",)] = Rejected("document_parsing_exception", "no")
        world.table.put(("bad",), n=1)
        world.table.put(("good",), n=1)
        polled = poll()
        assert (polled.report.applied, polled.report.rejected) == (1, 1)
        world.clock.advance(10)
        poll()
        assert poll().report.read == 0
        [letter] = world.dead_letters()
        assert (letter.key, letter.kind, letter.reason) == (("bad",), "document_parsing_exception", "no")
        world.answers.clear()
        world.table.put(("bad",), n=2)
        poll()
        assert world.dead_letters() == []
    assert world.equal()


def test_more_rejections_than_the_limit_stop_the_pipeline_and_name_the_commonest_reason() -> None:
    """A broken mapping must not bury a table."""
    world = a_world(rejections=3)
    with world.following() as poll:
        poll()
        for i in range(4):
            world.answers[(str(i),)] = Rejected("mapper_exception", "field n")
            world.table.put((str(i),), n=1)
        with pytest.raises(TooManyRejections, match=r"4 rows .* mapper_exception .*field n"):
            poll()
    assert len(world.dead_letters()) == 4


def test_a_deferred_key_is_sent_again_and_the_committed_checkpoint_waits_for_it() -> None:
    """† A crash forgets the retry set; the checkpoint must still lie below what was in it."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.clock.advance(10)
        world.answers[("busy",)] = Deferred("no primary")
        world.table.put(("busy",), n=1)
        when = world.clock.now()
        for i in range(5):
            world.clock.advance(10)
            world.table.put((str(i),), n=i)
            assert poll().deferred == 1
        assert world.index.documents().keys() == {(str(i),) for i in range(5)}
    assert world.checkpoint().position.watermark <= when
    assert (world.checkpoint().deferred, world.checkpoint().deferred_reason) == (1, "no primary")
    world.answers.clear()
    world.worker().run_once()
    assert (world.checkpoint().deferred, world.checkpoint().deferred_reason) == (0, None)
    assert world.equal()


def test_a_full_retry_set_fails_the_poll() -> None:
    """† What is put off is bounded."""
    world = a_world(deferred_keys=3)
    with world.following() as poll:
        poll()
        for i in range(4):
            world.answers[(str(i),)] = Deferred("busy")
            world.table.put((str(i),), n=i)
        with pytest.raises(SinkUnavailable, match="more than 3 documents: busy"):
            poll()


def test_an_index_that_puts_off_most_of_a_backlog_is_not_asked_for_ever_for_the_same_rows() -> None:
    """Reading stops at half of what may be put off, and what was applied counts."""
    world = a_world(batch_rows=10, pages=20, deferred_keys=80)
    world.worker().run_once()
    start = world.clock.now()
    for i in range(300):
        world.table.put((f"{i:03}",), start + timedelta(seconds=i), n=i)
    world.clock.advance(1000)
    world.answers = {(f"{i:03}",): Deferred("busy") for i in range(0, 300, 3)}
    with world.following() as poll:
        assert poll().deferred <= 80
        assert 0 < len(world.index.documents()) < 200
        world.answers = {}
        for _ in range(50):
            poll()
    assert world.equal()


def test_outcomes_are_committed_before_there_are_too_many_to_keep() -> None:
    """A dead letter is true whatever becomes of its poll; the checkpoint waits."""
    world = a_world(batch_rows=10, pages=20, ledger_entries=30)
    with world.following() as poll:
        poll()
        checkpoint = world.store.overview(world.record.name).checkpoints[world.table.name]
        world.clock.advance(100)
        world.answers = {("000",): Rejected("bad", "value")}
        for i in range(100):
            world.table.put((f"{i:03}",), n=i)

        def answer_then_fail(write: Write) -> None:
            if write.key == ("099",):
                raise SinkUnavailable("away")

        world.on_write = answer_then_fail
        with pytest.raises(SinkUnavailable):
            poll()
        assert [letter.key for letter in world.dead_letters()] == [("000",)]
        assert world.store.overview(world.record.name).checkpoints[world.table.name] == checkpoint
