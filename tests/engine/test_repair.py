"""Mending an index, on the memory adapters, and what must never be deleted by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from syncer.adapters.memory.digests import MemoryIndexDigests, MemorySourceDigests
from syncer.adapters.memory.source import MemoryDocuments
from syncer.core.change import Document, Draft, Hydration, Removal
from syncer.core.comparison import Digest, Entry
from syncer.core.error import FatalError, SchemaMismatch, SinkUnavailable, SourceUnavailable, SyncerError
from syncer.core.key import Key
from syncer.core.outcome import Deferred, Rejected
from syncer.engine.pipeline import Sides
from syncer.engine.verify import Verification, reconcile
from tests.builders import a_comparison
from tests.engine.comparing import a_loaded_world, a_routed_world, busy, counts, plant, removals, verified


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
    """One that was not only within the limit."""
    world = a_loaded_world()
    world.table.truncate()
    world.table.put(("new",), n=1)
    assert reconcile(world.pipeline, world.record).refused is not None
    found = reconcile(world.pipeline, replace(world.record, truncated=world.clock.now()))
    assert (found.complete, found.remaining) == (True, 0)
    assert world.equal()


def test_a_reconcile_can_be_interrupted() -> None:
    """By whoever asked for it, not only by the end of the process."""
    world = a_loaded_world()
    world.table.truncate()
    assert not reconcile(world.pipeline, world.record, stopping=lambda: True).complete
    assert len(world.index.documents()) == 40


def test_a_row_that_went_without_a_trace_leaves_no_dead_letter() -> None:
    """Neither side has anything of it, so nothing differs; the letter of a row that is still refused stays."""
    world = a_loaded_world()
    for key in ("900", "901"):
        world.answers[(key,)] = Rejected("refused", "bad")
        world.table.put((key,), n=7)
    world.worker().run_once()
    del world.answers[("900",)]
    world.table.delete(("900",))
    assert verified(world).remaining == 1
    assert [letter.key for letter in world.dead_letters()] == [("900",), ("901",)]
    verified(world, repair=True)
    assert [letter.key for letter in world.dead_letters()] == [("901",)]
