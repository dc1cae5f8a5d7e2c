"""Comparing an index with its table, on the memory adapters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syncer.adapters.memory.digests import MemoryIndexDigests
from syncer.adapters.memory.source import MemoryDocuments
from syncer.core.change import Document, Draft, Hydration, Removal
from syncer.core.comparison import Difference, Found
from syncer.core.key import Key
from syncer.engine.verify import Verification, Verified
from tests.builders import a_comparison, a_world
from tests.engine.comparing import a_loaded_world, busy, counts, plant, verified


def test_equal_sides_are_equal_and_that_is_noted() -> None:
    """The index is verified at this time, what asked for it is forgotten, and nothing is waited for."""
    world = a_loaded_world()
    world.store.mark_verify_needed(world.record.name, "a doubt")
    before = world.clock.now()
    found = verified(world)
    assert found == Verified(source_rows=40, indexed=40, complete=True)
    assert found.equal
    assert world.record.verified_at == before == world.clock.now()
    assert world.record.verify_needed is None


def test_a_doubt_that_came_up_during_the_comparison_stays() -> None:
    """It is not answered by what was read before."""
    world = a_loaded_world()
    verification = Verification(world.pipeline, a_comparison(world.table, world.index), world.record)
    world.store.mark_verify_needed(world.record.name, "a doubt")
    assert verification.run().equal
    assert world.record.verify_needed == "a doubt"


def test_differences_are_counted_and_named_and_nothing_is_written() -> None:
    """Missing, stale and extra; the index is not verified."""
    world = a_loaded_world()
    plant(world)
    found = verified(world)
    assert counts(found) == {"missing": 3, "stale": 2, "extra": 2}
    assert found.samples == {
        "missing": ["001", "002", "003"],
        "stale": ["010", "011"],
        "extra": ["900", "901"],
    }
    assert (found.complete, found.equal, found.remaining) == (True, False, 7)
    assert world.written == []
    assert world.record.verified_at is None


def test_the_first_hundred_of_a_kind_are_named() -> None:
    """However many there are."""
    world = a_loaded_world(250)
    for i in range(250):
        world.index.apply(Removal((f"{i:03}",), 10**9))
    found = verified(world)
    assert found.differences[Difference.MISSING] == 250
    assert found.samples["missing"] == [f"{i:03}" for i in range(100)]


def test_an_edit_behind_syncers_back_is_found_by_a_deep_comparison_alone() -> None:
    """The hash is what it was; a field is another one."""
    world = a_loaded_world()
    (document,) = [d for d in world.index.hits() if d.key == ("001",)]
    world.index.apply(replace(document, draft=replace(document.draft, body='{"n": 99}'), version=10**9))
    assert verified(world).equal
    found = verified(world, deep=True, repair=True)
    assert counts(found) == {"stale": 1}
    assert (found.repaired, found.equal) == (1, True)
    assert world.equal()


@pytest.mark.parametrize("vector", [None, b"\0" * 8, b"\0" * 12], ids=["none", "short", "another"])
def test_a_vector_that_is_not_of_the_row_is_found_by_a_deep_comparison(vector: bytes | None) -> None:
    """It is gone, too short, or another one."""
    world = a_world(embedding=True)
    for i in range(5):
        world.table.put((f"{i:03}",), text=f"text {i}")
    world.worker().run_once()
    assert verified(world, deep=True).equal
    (document,) = [d for d in world.index.hits() if d.key == ("001",)]
    vectors = {} if vector is None else {"embedding": vector}
    world.index.apply(replace(document, vectors=vectors, version=10**9))
    found = verified(world, deep=True, repair=True)
    assert counts(found) == {"stale": 1}
    assert found.equal


@pytest.mark.parametrize("deep", [False, True])
def test_a_write_under_way_is_no_difference(deep: bool) -> None:
    """It arrives at a later look; the row changed, appeared or went while both sides were read."""
    world = a_loaded_world()
    world.table.put(("001",), n=-1)
    world.table.put(("900",), n=-1)
    world.table.delete(("002",))

    began = world.clock.now()

    def arrive(look: int) -> None:
        if world.clock.now() - began >= timedelta(seconds=4):
            for draft in MemoryDocuments(world.table).hydrate([("001",), ("900",)]).drafts:
                world.index.apply(Document(draft, {}, 10**9))
            world.index.apply(Removal(("002",), 10**9))

    found = verified(world, busy(world, arrive), deep=deep)
    assert (counts(found), found.moving, found.equal) == ({}, 0, True)


def test_a_row_that_changes_all_the_time_and_is_followed_is_moving() -> None:
    """It is counted and named, and no difference; but nothing is proved of it, so that the index is not verified."""
    world = a_loaded_world()

    def change(look: int) -> None:
        (draft,) = MemoryDocuments(world.table).hydrate([("001",)]).drafts
        world.index.apply(Document(draft, {}, 10**9 + look))
        world.table.put(("001",), n=1000 + look)

    world.table.put(("001",), n=-1)
    found = verified(world, busy(world, change))
    assert (counts(found), found.moving, found.samples) == ({}, 1, {"moving": ["001"]})
    assert (found.complete, found.equal, found.remaining) == (True, False, 1)
    assert world.record.verified_at is None


@pytest.mark.parametrize("row", ["there", "gone"])
def test_a_document_that_somebody_else_writes_all_the_time_is_a_difference(row: str) -> None:
    """Its row stands still, or there is none: no delivery is under way."""
    world = a_loaded_world()
    key = ("001",) if row == "there" else ("900",)

    def write(look: int) -> None:
        world.index.apply(Document(Draft(key, f'{{"n": -{look}}}', look, {}), {}, 10**9 + look))

    write(0)
    found = verified(world, busy(world, write))
    assert counts(found) == ({"stale": 1} if row == "there" else {"extra": 1})
    assert (found.moving, found.equal) == (0, False)
    assert world.record.verified_at is None


def test_a_row_that_is_delivered_late_is_no_difference_though_it_stands_still() -> None:
    """What was under way arrives, older than the row, then the row: the document moves, and agrees at the end."""
    world = a_loaded_world()
    world.table.put(("001",), n=-2)
    began = world.clock.now()

    def deliver(look: int) -> None:
        (draft,) = MemoryDocuments(world.table).hydrate([("001",)]).drafts
        if world.clock.now() - began >= timedelta(seconds=10):
            world.index.apply(Document(draft, {}, 10**9 + 1))
        elif world.clock.now() - began >= timedelta(seconds=3):
            world.index.apply(Document(replace(draft, body='{"n": -1}', hash=5), {}, 10**9))

    found = verified(world, busy(world, deliver))
    assert (counts(found), found.moving, found.equal) == ({}, 0, True)


@pytest.mark.parametrize(
    ("interval", "seconds"), [(0.1, 8), (1, 8), (5, 40), (30, 110), (300, 380)], ids=lambda value: str(value)
)
def test_a_difference_is_waited_for_as_long_as_a_daemon_may_need(interval: float, seconds: float) -> None:
    """Eight poll intervals, but no more than 80 seconds above one."""
    world = a_loaded_world()
    world.index.apply(Removal(("001",), 10**9))
    pipeline = replace(world.pipeline, limits=replace(world.pipeline.limits, interval_seconds=interval))
    began = world.clock.now()
    found = Verification(pipeline, a_comparison(world.table, world.index), world.record).run()
    assert counts(found) == {"missing": 1}
    assert (world.clock.now() - began).total_seconds() == pytest.approx(seconds)


@pytest.mark.parametrize("side", ["row", "document"])
def test_json_nested_deeper_than_python_parses_counts_as_unreadable(side: str) -> None:
    """Nothing can be told of it; the other rows are compared."""
    world = a_loaded_world()
    deep = "[" * 2000 + "]" * 2000
    sides = a_comparison(world.table, world.index)

    class Rows(MemoryDocuments):
        def hydrate(self, keys: Sequence[Key]) -> Hydration:
            found = super().hydrate(keys)
            return replace(found, drafts=[replace(d, body=deep) if d.key == ("001",) else d for d in found.drafts])

    class Entries(MemoryIndexDigests):
        def find(self, ids: Sequence[str], *, whole: bool) -> Mapping[str, Sequence[Found]]:
            if whole and "001" in ids:
                json.loads(deep)
            return super().find(ids, whole=whole)

    spoilt: dict[str, Any] = {"documents": Rows(world.table)} if side == "row" else {"index": Entries(world.index)}
    world.index.apply(Removal(("002",), 10**9))
    found = verified(world, replace(sides, **spoilt), deep=True, repair=True)
    assert (counts(found), found.unreadable, found.repaired) == ({"missing": 1}, 1, 1)
    assert found.samples["unreadable"] == ["001"]
    assert not found.equal


def test_a_row_that_changes_all_the_time_and_is_not_followed_is_stale() -> None:
    """Its document does not move."""
    world = a_loaded_world()
    world.table.put(("001",), n=-1)
    found = verified(world, busy(world, lambda look: world.table.put(("001",), n=1000 + look)))
    assert counts(found) == {"stale": 1}


def test_suspects_beyond_what_is_held_are_looked_at_on_the_way() -> None:
    """Memory does not grow with the differences; all of them are found."""
    world = a_loaded_world(60)
    for i in range(60):
        world.index.apply(Removal((f"{i:03}",), 10**9))
    began = world.clock.now()
    found = verified(world, pending_max=20)
    assert found.differences[Difference.MISSING] == 60
    assert world.clock.now() - began >= timedelta(seconds=3 * 8)


def test_progress_is_told_in_rows() -> None:
    """Of about how many there are."""
    world = a_loaded_world()
    told: list[tuple[int, int]] = []
    verified(world, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(10, 40), (20, 40), (30, 40), (40, 40)]
