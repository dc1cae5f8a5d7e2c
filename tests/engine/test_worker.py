"""Following a pipeline through load, outages, standby and changes of hands."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from syncer.core.error import (
    ConfigurationError,
    FingerprintMismatch,
    IndexReplaced,
    LeaseHeld,
    SinkUnavailable,
    SourceUnavailable,
)
from syncer.core.index import IndexIdentity, Phase
from syncer.core.outcome import Deferred
from syncer.core.source_state import SourceIdentity
from syncer.engine.worker import Worker
from tests.builders import a_world


def test_the_first_run_creates_the_index_loads_it_and_publishes_it() -> None:
    """Searches go to the alias, which appears when everything is there."""
    world = a_world()
    for i in range(75):
        world.table.put((f"{i:03}",), n=i)
    report = world.worker().run_once()
    assert report.applied >= 75
    assert world.record.phase is Phase.LIVE
    assert world.indices.aliases == {"items": world.record.name}
    assert world.equal()


def test_a_small_load_is_parted_once_after_its_first_batches() -> None:
    """So that the merge at its end has two pieces to work on."""
    world = a_world()
    for i in range(75):
        world.table.put((f"{i:03}",), n=i)
    world.worker().run_once()
    (documents,) = world.indices.parted[world.record.name]
    assert 0 < documents < 75


def test_a_row_written_by_a_transaction_open_since_before_the_load_is_found_by_the_first_poll() -> None:
    """The checkpoint is fixed before the first read, below every open transaction."""
    world = a_world()
    early = world.table.begin()
    early.put(("early",), n=1)
    world.clock.advance(3600)
    world.table.put(("x",), n=1)
    with world.following() as poll:
        early_committed = False
        poll()
        if not early_committed:
            early.commit()
        poll()
    assert world.equal()


def test_a_hidden_start_of_an_open_transaction_costs_time_and_no_row() -> None:
    """Where the role may not see starts, polls begin at the beginning."""
    world = a_world()
    world.table.shows_start = False
    early = world.table.begin()
    early.put(("early",), n=1)
    world.clock.advance(3600)
    world.worker().run_once()
    early.commit()
    world.worker().run_once()
    assert world.equal()


def test_a_load_that_failed_is_resumed_and_not_started_again() -> None:
    """The ranges that were done stay done."""
    world = a_world()
    for i in range(300):
        world.table.put((f"{i:03}",), n=i)
    world.clock.advance(3600)
    taken = threading.Event()

    def stop_after_half(settled: int, total: int) -> None:
        if settled > 150 and not taken.is_set():
            taken.set()
            world.outage = SinkUnavailable("died here")

    world.events.loading = stop_after_half  # type: ignore[method-assign]
    with pytest.raises(SinkUnavailable):
        world.worker().run_once()
    assert world.record.phase is Phase.LOADING
    assert world.indices.aliases == {}, "a half-filled index is never behind the alias"
    world.outage = None
    world.written.clear()
    world.worker().run_once()
    assert len(world.written) <= 150
    assert world.equal()


def test_a_daemon_survives_an_outage_and_catches_up() -> None:
    """It backs off, forgets what it had in memory, and starts again from the checkpoint."""
    world = a_world()
    polls = 0

    def each_poll() -> None:
        nonlocal polls
        polls += 1
        if polls == 5:
            world.outage = SinkUnavailable("away", retry_after=3)
        if polls == 20:
            world.clock.stop()
        else:
            world.table.put((f"{polls:03}",), n=polls)

    def back_off(error: object, attempt: int, seconds: float) -> None:
        assert seconds >= 3
        if attempt == 3:
            world.outage = None

    world.events.on_poll = each_poll
    world.events.backing_off = back_off  # type: ignore[method-assign]
    world.worker().run()
    assert polls == 20
    assert world.equal()


def test_a_second_process_stands_by_and_takes_over() -> None:
    """One poller per index; `run --once` says who has it."""
    world = a_world()
    world.worker().run_once()
    lease = world.store.acquire(world.record.name)
    with pytest.raises(LeaseHeld):
        world.worker().run_once()

    def give_way(error: object) -> None:
        lease.release()

    world.events.standing_by = give_way  # type: ignore[method-assign]
    world.events.on_poll = world.clock.stop
    polls = len(world.events.polls)
    world.worker().run()
    assert len(world.events.polls) == polls + 1


def test_an_index_built_from_another_configuration_is_refused_with_the_difference() -> None:
    """It would be a mixture."""
    world = a_world()
    world.worker().run_once()
    changed = replace(world.pipeline, fingerprint={"mapping": "m2", "hydration": "h1"})
    with pytest.raises(FingerprintMismatch, match="mapping changed"):
        Worker(changed, world.events).run_once()


def test_an_index_that_was_exchanged_is_refused() -> None:
    """† Also one restored from a snapshot, which keeps its UUID but not the history of its shards."""
    world = a_world()
    world.worker().run_once()
    world.index.identity = IndexIdentity(world.index.identity.uuid, {"0": "restored"})
    with pytest.raises(IndexReplaced):
        world.worker().run_once()


def test_a_source_that_was_restarted_is_read_again_from_below_the_checkpoint() -> None:
    """† A clock may have stepped back unseen, and asynchronous commits may be lost: verify is needed."""
    world = a_world()
    world.worker().run_once()
    world.clock.advance(3600)
    world.worker().run_once()
    before = world.clock.now() - timedelta(minutes=10)
    world.table.put(("stamped-in-the-past",), before, n=1)
    world.worker().run_once()
    assert not world.equal(), "a backdated row alone is not seen by polling"
    world.table.identity = SourceIdentity("memory", world.clock.now(), 1)
    world.worker().run_once()
    assert world.equal()
    assert world.record.verify_needed


def test_a_transient_error_ends_run_once() -> None:
    """A scheduled job wants an exit code, not a process that waits."""
    world = a_world()
    world.outage = SourceUnavailable("away")
    world.table.put(("1",), n=1)
    with pytest.raises(SourceUnavailable):
        world.worker().run_once()


def test_who_holds_the_checkpoint_back_is_told_once_a_minute() -> None:
    """A transaction left open for minutes costs nothing but is worth a word."""
    world = a_world()
    with world.following() as poll:
        poll()
        world.table.begin()
        for _ in range(180):
            world.clock.advance(1)
            poll()
    assert 2 <= len(world.events.blocked) <= 6
    seconds, [blocker] = world.events.blocked[0]
    assert seconds > 60
    assert blocker.since is not None


def test_run_once_does_not_wait_for_ever_for_an_index_that_puts_off() -> None:
    """A scheduled job ends; what was put off is above the checkpoint."""
    world = a_world()
    world.worker().run_once()
    world.table.put(("busy",), n=1)
    world.answers = {("busy",): Deferred("no primary")}
    with pytest.raises(SinkUnavailable, match="puts off 1 documents"):
        world.worker().run_once()
    world.answers = {}
    world.worker().run_once()
    assert world.equal()


def test_rows_stamped_just_before_the_first_load_are_delivered_once() -> None:
    """The first poll reads them again, and knows that the load has taken them into account."""
    world = a_world()
    for i in range(50):
        world.table.put((f"{i:02}",), n=i)
    assert world.worker().run_once().read == 50
    assert len(world.written) == 50


def test_a_load_that_was_killed_at_its_very_end_is_not_started_again() -> None:
    """Its ranges are forgotten only when the index is the one that is followed."""
    world = a_world()
    for i in range(50):
        world.table.put((f"{i:02}",), n=i)
    world.indices.publish_outage = SinkUnavailable("died here")
    with pytest.raises(SinkUnavailable):
        world.worker().run_once()
    world.indices.publish_outage = None
    world.clock.advance(60)
    written = len(world.written)
    world.worker().run_once()
    assert len(world.written) - written <= 50, "what the first poll reads again, not the load"
    assert world.record.phase is Phase.LIVE
    progress = world.store.backfill(world.record.name)
    assert list(progress.ranges()) == []


def test_an_alias_that_cannot_be_had_is_told_before_the_load() -> None:
    """Not after it."""
    world = a_world()
    world.indices.foreign.add("items")
    world.table.put(("1",), n=1)
    with pytest.raises(ConfigurationError, match="items is the name of an index"):
        world.worker().run_once()
    assert world.written == []
