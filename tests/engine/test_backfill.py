"""Loading, delivering every row again, and some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest

from syncer.adapters.json import OrJson
from syncer.adapters.memory.sink import MemorySink
from syncer.adapters.memory.source import MemoryDocuments, MemoryKeyFeed
from syncer.adapters.memory.vector_cache import MemoryVectorCache
from syncer.core.change import Draft
from syncer.core.error import FingerprintMismatch, SinkUnavailable, TooManyRejections
from syncer.core.held import Held
from syncer.core.key import Key
from syncer.core.outcome import Deferred, Rejected
from syncer.engine.backfill import Backfilled, backfill
from syncer.engine.embed import Embedding
from syncer.engine.pacing import Pacing
from syncer.engine.resync import resync
from syncer.engine.telemetry import Measures
from syncer.engine.transform import Transform
from syncer.engine.write import Numbered, Writing
from tests.builders import World, a_world

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def run(
    world: World, *, restart: bool = False, workers: int = 1, skip_unchanged: bool = False, **replacements: Any
) -> Backfilled:
    progress = world.store.backfill(world.record.name)
    try:
        return backfill(
            replace(world.pipeline, **replacements),
            world.record.name,
            progress,
            restart=restart,
            workers=workers,
            skip_unchanged=skip_unchanged,
        )
    finally:
        progress.release()


class Steady(Pacing):
    """Does not slow down."""

    def answered(self, turn: int, *, pressed: bool) -> None:
        """Not minded."""


def filled(rows: int, **replacements: Any) -> World:
    world = a_world(**replacements)
    world.worker().run_once()
    for i in range(rows):
        world.table.put((f"{i:04}",), n=i)
    return world


@pytest.mark.parametrize("workers", [1, 3])
def test_every_row_is_delivered_once(workers: int) -> None:
    """Whatever the number of workers, and whatever its watermark is."""
    world = filled(100)
    report = run(world, workers=workers).report
    assert (report.read, report.applied) == (100, 100)
    assert world.equal()


def test_what_the_index_holds_already_is_not_written() -> None:
    """It counts as applied; what differs is written, whatever the watermark says, and what is not there."""
    world = filled(50)
    run(world)
    before = {key: world.index.version(key) for key in (("0001",), ("0002",), ("0003",))}
    world.table.put(("0002",), LONG_AGO, n=-1)
    world.table.put(("new",), n=1)
    world.written.clear()
    report = run(world, skip_unchanged=True).report
    assert (report.read, report.applied, report.unchanged) == (51, 51, 49)
    assert sorted({write.key for write in world.written}) == [("0002",), ("new",)]
    assert world.equal()
    assert world.index.version(("0001",)) == before[("0001",)]


def test_of_a_document_that_is_left_as_it_is_the_vector_is_kept() -> None:
    """The cache forgets what nobody wants, and a rebuild wants all of them."""
    wanted: list[bytes] = []

    class Noting(MemoryVectorCache):
        def get(self, fingerprint: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
            wanted.extend(digests)
            return super().get(fingerprint, digests)

        def touch(self, fingerprint: str, digests: Sequence[bytes]) -> None:
            wanted.extend(digests)
            super().touch(fingerprint, digests)

    world = a_world(embedding=True)
    for i in range(3):
        world.table.put((f"{i}",), text=f"text {i}")
    world.worker().run_once()
    world.table.put(("3",), text="text 3")
    embedding = Embedding(world.embedder, Noting())
    report = run(world, skip_unchanged=True, embedding=embedding).report
    assert (report.unchanged, report.embedded) == (3, 1)
    assert len(wanted) == 4


def test_a_row_that_is_what_the_index_holds_again_closes_its_dead_letter() -> None:
    """Written once more, for what was refused may be other than what the hash tells of."""
    world = filled(1)
    run(world)
    world.answers = {("0000",): Rejected("bad", "bad")}
    world.table.put(("0000",), LONG_AGO, n=-1)
    run(world, skip_unchanged=True)
    assert len(world.dead_letters()) == 1
    world.answers = {}
    world.table.put(("0000",), LONG_AGO, n=0)
    report = run(world, skip_unchanged=True).report
    assert (report.applied, report.unchanged) == (1, 0)
    assert world.dead_letters() == []


def test_a_row_whose_added_vector_was_refused_is_written_though_the_index_holds_its_hash() -> None:
    """Else its dead letter would be closed, and its document never found by what it means."""
    world = a_world(embedding=True)
    world.worker().run_once()
    world.table.put(("1",), text="refused for a while")
    world.table.put(("2",), text="never refused")
    run(world, embedding=None)
    world.embedder.refused = {"refused for a while"}
    run(world)
    assert [letter.key for letter in world.dead_letters()] == [("1",)]
    world.embedder.refused = set()
    report = run(world, skip_unchanged=True).report
    assert (report.applied, report.unchanged) == (2, 1)
    assert world.dead_letters() == []
    assert all(world.index.vectors().values())


def test_batches_that_could_not_be_compared_slow_the_pace_once() -> None:
    """They were under way together, and say nothing new."""
    world = filled(1)
    met = Barrier(2)

    class Away(MemorySink):
        def held(self, drafts: Sequence[Draft]) -> Mapping[Key, Held]:
            met.wait(30)
            raise SinkUnavailable("away")

    pacing = Pacing()
    writing = Writing(
        None,
        Away(world.index),
        clock=world.clock,
        pacing=pacing,
        prove=lambda: None,
        telemetry=Measures(),
        skip_unchanged=True,
    )
    hydration = MemoryDocuments(world.table).hydrate([("0000",)])
    with ThreadPoolExecutor(2) as threads:
        flights = [threads.submit(writing.write, [("0000",)], Numbered(hydration, 1, {})) for _ in range(2)]
        assert all(isinstance(flight.exception(), SinkUnavailable) for flight in flights)
    assert pacing.turn == 1


def test_while_fields_are_filled_every_document_is_written() -> None:
    """One that lacks them has the hash of one that has them, and the fill takes these ranges for done."""
    world = filled(5)
    run(world)
    lease = world.store.acquire(world.record.name)
    lease.update(filling=True)
    lease.release()
    report = run(world, skip_unchanged=True).report
    assert (report.applied, report.unchanged) == (5, 0)


def test_by_another_definition_nothing_is_taken_for_unchanged() -> None:
    """The hash is of what that makes of the row."""
    world = filled(5)
    run(world)
    with pytest.raises(FingerprintMismatch):
        run(world, skip_unchanged=True, fingerprint={"mapping": "another"})


def test_with_a_transform_every_document_is_written() -> None:
    """The hash is the row's, and what is made of it may have changed."""
    world = filled(5)
    run(world)
    transform = Transform(lambda document: document, OrJson(), batch=False)
    report = run(world, skip_unchanged=True, transform=transform).report
    assert (report.applied, report.unchanged) == (5, 0)


def test_a_backfill_that_failed_goes_on_where_it_was() -> None:
    """Ranges that were done are not read again; `restart` begins anew."""
    world = filled(100)
    world.answers = {(f"{i:04}",): Deferred("busy") for i in range(65, 75)}
    with pytest.raises(SinkUnavailable):
        run(world)
    world.answers = {}
    world.written.clear()
    again = run(world)
    assert again.resumed
    assert 25 <= again.report.read <= 60
    assert world.equal()
    assert not run(world).resumed


def test_keys_that_were_under_way_when_it_died_are_looked_at_again_even_if_they_are_gone() -> None:
    """† No range read would meet a row that was deleted since, and the write may have revived it."""
    world = filled(100)
    world.outage = SinkUnavailable("died here")
    with pytest.raises(SinkUnavailable):
        run(world)
    world.outage = None
    world.table.delete(("0003",))
    world.written.clear()
    run(world)
    assert ("0003",) in {write.key for write in world.written}
    assert world.equal()


def test_progress_is_told_in_rows_settled_of_rows_in_all() -> None:
    """For a bar with a remaining time."""
    world = a_world()
    for i in range(100):
        world.table.put((f"{i:04}",), n=i)
    world.worker().run_once()
    assert world.events.loads[0] == (0, 100)
    assert world.events.loads[-1] == (100, 100)
    assert world.events.loads == sorted(world.events.loads)


def test_a_rejected_row_is_kept_as_a_dead_letter_and_the_rest_goes_on() -> None:
    """One bad row among a hundred."""
    world = filled(100)
    world.answers = {("0050",): Rejected("bad", "value")}
    report = run(world).report
    assert (report.applied, report.rejected) == (99, 1)
    assert [letter.key for letter in world.dead_letters()] == [("0050",)]


def test_too_many_rejections_stop_a_backfill() -> None:
    """A broken mapping must not bury a table."""
    world = filled(200)
    world.answers = {(f"{i:04}",): Rejected("bad", "value") for i in range(200)}
    with pytest.raises(TooManyRejections):
        run(world)


def test_a_resync_delivers_the_given_keys_and_removes_those_that_are_gone() -> None:
    """Hydration decides; a key that is not in the table has no document."""
    world = filled(20)
    run(world)
    world.table.delete(("0003",))
    assert not world.equal()
    feed = MemoryKeyFeed(world.table, [("0003",), ("0004",)])
    report = resync(world.pipeline, MemoryDocuments(world.table), world.record.name, feed)
    assert report.read == 2
    assert world.equal()


def test_a_stop_during_a_backfill_keeps_what_is_settled() -> None:
    """SIGTERM ends it between batches; it is not complete, and the next one resumes."""
    world = filled(100)
    world.clock.stop()
    done = run(world)
    assert not done.complete


def test_a_backfill_killed_twice_still_knows_the_keys_of_the_first_time() -> None:
    """† What is stored for the first batch that is looked at again must not forget the others."""
    world = filled(100, pacing=Steady())
    world.outage = SinkUnavailable("died here")
    for _ in range(2):
        with pytest.raises(SinkUnavailable):
            run(world)
    world.outage = None
    progress = world.store.backfill(world.record.name)
    in_flight = {key for part in progress.ranges() for key in part.in_flight}
    progress.release()
    assert {(f"{i:04}",) for i in range(10)} <= in_flight
    assert len(in_flight) > 10


def test_a_resync_ends_when_the_process_is_asked_to_stop() -> None:
    """Whatever was under way is settled; the rest is left."""
    world = filled(100)
    world.on_write = lambda _write: world.clock.stop()
    feed = MemoryKeyFeed(world.table)
    report = resync(world.pipeline, MemoryDocuments(world.table), world.record.name, feed)
    assert 0 < report.read < 100
