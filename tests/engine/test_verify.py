"""Comparing an index with its table, and mending it, on the memory adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syncer.adapters.memory.digests import MemoryIndexDigests, MemorySourceDigests
from syncer.adapters.memory.source import MemoryDocuments
from syncer.core.change import Document, Draft, Hydration, Removal
from syncer.core.comparison import Difference, Digest, Entry
from syncer.core.error import FatalError, SchemaMismatch, SinkUnavailable, SourceUnavailable, SyncerError
from syncer.core.key import Key
from syncer.core.outcome import Deferred, Rejected
from syncer.engine.pipeline import Sides
from syncer.engine.verify import Verification, Verified, reconcile
from tests.builders import World, a_comparison, a_world


def a_loaded_world(rows: int = 40, **options: Any) -> World:
    world = a_world(**options)
    for i in range(rows):
        world.table.put((f"{i:03}",), n=i)
    world.worker().run_once()
    world.written.clear()
    return world


def verified(world: World, sides: Sides | None = None, **options: Any) -> Verified:
    sides = sides or a_comparison(world.table, world.index)
    return Verification(world.pipeline, sides, world.record, **options).run()


def counts(found: Verified) -> dict[str, int]:
    return {str(kind): count for kind, count in found.differences.items()}


def plant(world: World) -> None:
    """Let three rows be missing, two stale, and two documents be extra: nobody is told."""
    index = world.index
    for key in ("001", "002", "003"):
        index.apply(Removal((key,), 10**9))
    for key in ("010", "011"):
        index.apply(Document(Draft((key,), '{"n": -1}', 5, {}), {}, 10**9))
    for key in ("900", "901"):
        index.apply(Document(Draft((key,), "{}", 5, {}), {}, 10**9))


def removals(world: World) -> list[Key]:
    return [write.key for write in world.written if isinstance(write, Removal)]


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


def test_repair_mends_all_of_it() -> None:
    """Against versions above every number that was drawn; what is mended counts once it was looked at."""
    world = a_loaded_world()
    plant(world)
    found = verified(world, repair=True, delete_ratio=0.1)
    assert (found.repaired, found.remaining, found.equal) == (7, 0, True)
    assert world.equal()
    assert world.record.verified_at is not None
    assert verified(world).equal


def test_a_repair_that_would_delete_much_deletes_nothing() -> None:
    """It mends the rest, and says how to go on; with force it does."""
    world = a_loaded_world(10)
    plant(world)
    for i in range(10):
        world.table.delete((f"{i:03}",))
    found = verified(world, repair=True, delete_ratio=0.5)
    assert found.refused is not None
    assert "11 of 11 documents" in str(found.refused)
    assert "--force" in found.refused.hint
    assert removals(world) == []
    assert (found.complete, found.equal) == (True, False)
    assert verified(world, repair=True).equal
    assert world.equal()


def test_a_document_under_a_second_routing_is_found_and_removed_there() -> None:
    """The row's own document stays."""
    world = a_routed_world()
    key = ("001",)
    elsewhere = next(r for r in "abcdefgh" if world.index.shard(key, r) != world.index.shard(key, "t1"))
    world.index.apply(Document(Draft(key, "{}", 5, {}, elsewhere), {}, 5))
    found = verified(world, repair=True, delete_ratio=0.1)
    assert counts(found) == {"duplicate": 1}
    assert (found.repaired, found.equal) == (1, True)
    assert [(d.key, d.draft.routing) for d in world.index.hits() if d.key == key] == [(key, "t1")]


def test_a_document_that_lies_in_the_wrong_place_alone_is_moved() -> None:
    """Written where the row belongs, then removed where it does not."""
    world = a_routed_world()
    key = ("001",)
    elsewhere = next(r for r in "abcdefgh" if world.index.shard(key, r) != world.index.shard(key, "t1"))
    (right,) = [d for d in world.index.hits() if d.key == key]
    world.index.apply(Removal(key, 10**9, "t1"))
    world.index.apply(Document(replace(right.draft, routing=elsewhere), {}, 5))
    found = verified(world, repair=True, delete_ratio=0.1)
    assert counts(found) == {"missing": 1}
    assert (found.repaired, found.equal) == (1, True)
    assert [d.draft.routing for d in world.index.hits() if d.key == key] == ["t1"]


def a_routed_world() -> World:
    world = a_world(shards=4)
    world.table.routing = "tenant"
    for i in range(20):
        world.table.put((f"{i:03}",), n=i, tenant=f"t{i % 3}")
    world.worker().run_once()
    world.written.clear()
    return world


def test_documents_that_somebody_else_wrote_are_found_by_their_id() -> None:
    """In place of a row's, or beside all rows; and an id that no row can have."""
    world = a_loaded_world()
    strangers: dict[Key, int] = {("001",): 10**9, ("900",): 10**9, ("a|b",): 10**9}
    for key, version in strangers.items():
        world.index.apply(Document(Draft(key, "{}", 0, {}), {}, version))

    class Digests(MemorySourceDigests):
        def keys(self, ids: Sequence[str]) -> dict[str, Key]:
            return {id_: (id_,) for id_ in ids if "|" not in id_}

    sides = replace(
        a_comparison(world.table, world.index),
        source=Digests(world.table),
        index=MemoryIndexDigests(world.index, strangers),
    )
    found = verified(world, sides, repair=True, delete_ratio=0.1)
    assert counts(found) == {"stale": 1, "extra": 2}
    assert (found.repaired, found.equal) == (3, True)
    assert world.equal()


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


class Busy(MemoryIndexDigests):
    """Calls somebody at each look."""

    def __init__(self, world: World, act: Callable[[int], None]) -> None:
        super().__init__(world.index)
        self._act = act
        self.looks = 0

    def find(self, ids: Sequence[str], *, whole: bool) -> Any:
        self.looks += 1
        self._act(self.looks)
        return super().find(ids, whole=whole)


def busy(world: World, act: Callable[[int], None]) -> Sides:
    return replace(a_comparison(world.table, world.index), index=Busy(world, act))


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
    """It is counted and named, and no difference."""
    world = a_loaded_world()

    def change(look: int) -> None:
        (draft,) = MemoryDocuments(world.table).hydrate([("001",)]).drafts
        world.index.apply(Document(draft, {}, 10**9 + look))
        world.table.put(("001",), n=1000 + look)

    world.table.put(("001",), n=-1)
    found = verified(world, busy(world, change))
    assert (counts(found), found.moving, found.samples) == ({}, 1, {"moving": ["001"]})
    assert found.complete


def test_a_row_that_changes_all_the_time_and_is_not_followed_is_stale() -> None:
    """Its document does not move."""
    world = a_loaded_world()
    world.table.put(("001",), n=-1)
    found = verified(world, busy(world, lambda look: world.table.put(("001",), n=1000 + look)))
    assert counts(found) == {"stale": 1}


def test_an_unreadable_row_is_named_and_its_document_stays() -> None:
    """Whether it is in the index or not."""
    world = a_loaded_world()
    bad = {("001",), ("002",)}
    world.index.apply(Removal(("002",), 10**9))

    class Digests(MemorySourceDigests):
        def pages(self) -> Iterator[Sequence[Digest]]:
            for page in super().pages():
                yield [(id_, None if (id_,) in bad else hash_, routing) for id_, hash_, routing in page]

    class Documents(MemoryDocuments):
        def hydrate(self, keys: Sequence[Key]) -> Hydration:
            found = super().hydrate([key for key in keys if key not in bad])
            return Hydration(found.drafts, {key: "division by zero" for key in keys if key in bad})

    sides = replace(
        a_comparison(world.table, world.index), source=Digests(world.table), documents=Documents(world.table)
    )
    found = verified(world, sides, repair=True)
    assert (found.unreadable, found.samples, counts(found)) == (2, {"unreadable": ["001", "002"]}, {})
    assert (found.complete, found.equal) == (True, False)
    assert world.written == []


ERRORS = [SourceUnavailable("away"), SchemaMismatch("no such column"), FatalError("odd")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["source", "source-begin", "index", "strangers", "find", "keys", "hydrate"])
def test_a_read_error_deletes_nothing(error: SyncerError, where: str) -> None:
    """Wherever it happens, the comparison ends with it, incomplete."""
    world = a_loaded_world()
    plant(world)
    for i in range(20, 40):
        world.table.delete((f"{i:03}",))

    class Source(MemorySourceDigests):
        def pages(self) -> Iterator[Sequence[Digest]]:
            if where == "source-begin":
                raise error
            for i, page in enumerate(super().pages()):
                if where == "source" and i == 1:
                    raise error
                yield page

        def keys(self, ids: Sequence[str]) -> Any:
            if where == "keys":
                raise error
            return super().keys(ids)

    class Index(MemoryIndexDigests):
        def pages(self) -> Iterator[Sequence[Entry]]:
            for i, page in enumerate(super().pages()):
                if where == "index" and i == 1:
                    raise error
                yield page

        def strangers(self) -> Iterator[Sequence[str]]:
            if where == "strangers":
                raise error
            return super().strangers()

        def find(self, ids: Sequence[str], *, whole: bool) -> Any:
            if where == "find":
                raise error
            return super().find(ids, whole=whole)

    class Documents(MemoryDocuments):
        def hydrate(self, keys: Sequence[Key]) -> Hydration:
            if where == "hydrate":
                raise error
            return super().hydrate(keys)

    sides = Sides(Source(world.table), Index(world.index), Documents(world.table), lambda: None)
    verification = Verification(world.pipeline, sides, world.record, repair=True)
    with pytest.raises(type(error)):
        verification.run()
    assert not verification.verified.complete
    assert removals(world) == []
    assert world.record.verified_at is None


def test_a_side_out_of_order_deletes_nothing() -> None:
    """It would make rows look as if they were gone."""
    world = a_loaded_world()

    class Source(MemorySourceDigests):
        def pages(self) -> Iterator[Sequence[Digest]]:
            yield from reversed(list(super().pages()))

    sides = replace(a_comparison(world.table, world.index), source=Source(world.table))
    with pytest.raises(FatalError, match="out of order"):
        verified(world, sides, repair=True)
    assert world.written == []


@pytest.mark.parametrize("when", ["before", "reading", "waiting"])
def test_a_stop_ends_it_incomplete_and_deletes_nothing(when: str) -> None:
    """At once, also while one side is read that does not answer."""
    world = a_loaded_world()
    plant(world)

    class Source(MemorySourceDigests):
        def pages(self) -> Iterator[Sequence[Digest]]:
            if when == "reading":
                world.clock.stop()
                while not self._cancelled:
                    pass
                raise SourceUnavailable("cancelled")
            yield from super().pages()

    if when == "before":
        world.clock.stop()
    act: Callable[[int], None] = (lambda _: world.clock.stop()) if when == "waiting" else (lambda _: None)
    found = verified(world, replace(busy(world, act), source=Source(world.table)), repair=True)
    assert not found.complete
    assert removals(world) == []


def test_what_cannot_be_indexed_stays_a_difference() -> None:
    """It is rejected again, and not repaired."""
    world = a_loaded_world()
    plant(world)
    world.answers[("001",)] = Rejected("refused", "bad")
    found = verified(world, repair=True)
    assert (found.repaired, found.remaining) == (6, 1)
    assert [letter.key for letter in world.dead_letters()] == [("001",)]


def test_a_removal_that_is_put_off_is_tried_again_and_then_given_up() -> None:
    """The repair ends with an error, incomplete."""
    world = a_loaded_world()
    plant(world)
    world.answers[("900",)] = Deferred("not now")
    with pytest.raises(SinkUnavailable, match="could not be removed"):
        verified(world, repair=True)
    assert ("901",) not in world.index.documents()


def test_a_key_that_came_back_is_not_removed() -> None:
    """Hydration decides at the end, not what was read before."""
    world = a_loaded_world()
    plant(world)

    world.on_write = lambda _: world.table.put(("900",), n=1)
    found = verified(world, repair=True)
    assert (counts(found)["extra"], found.remaining) == (2, 1)
    assert removals(world) == [("901",)]


def test_a_truncated_table_is_reconciled_however_much_goes() -> None:
    """And what asked for it is forgotten."""
    world = a_loaded_world()
    world.table.truncate()
    world.table.put(("new",), n=1)
    found = reconcile(world.pipeline, world.record)
    assert (found.complete, found.remaining) == (True, 0)
    assert world.equal()


def test_a_reconcile_can_be_interrupted() -> None:
    """By whoever asked for it, not only by the end of the process."""
    world = a_loaded_world()
    world.table.truncate()
    assert not reconcile(world.pipeline, world.record, stopping=lambda: True).complete
    assert len(world.index.documents()) == 40


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
