"""Routed documents: each key has one, wherever its row has been before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from syncer.adapters.memory.sink import MemoryIndex, MemorySink
from syncer.adapters.memory.source import MemoryDocuments
from syncer.adapters.memory.table import MemoryTable
from syncer.core.change import Hydration, Removal, Write
from syncer.core.index import IndexIdentity
from syncer.core.key import Key
from syncer.core.outcome import Applied, Deferred, Outcome
from syncer.engine.deliver import Delivery, Draw
from syncer.ports import Documents
from tests.builders import a_world

KEY = ("1",)


@dataclass(frozen=True)
class Gone:
    """A row that is soft-deleted, and where its document was."""

    routing: str

    def hydrate(self, keys: Sequence[Key]) -> Hydration:
        return Hydration([], {}, dict.fromkeys(keys, self.routing))


@pytest.fixture(params=[1, 8], ids=["one shard", "two shards"])
def index(request: pytest.FixtureRequest) -> MemoryIndex:
    made = MemoryIndex(IndexIdentity("u", {}), request.param)
    assert (made.shard(KEY, "a") == made.shard(KEY, "b")) == (request.param == 1)
    return made


def a_delivery(
    documents: Documents,
    index: MemoryIndex,
    answer: Callable[[Write], Outcome | None] = lambda _: None,
    *,
    numbers_above: int = 0,
) -> Delivery:
    world = a_world()
    world.store.raise_above(numbers_above)
    pipeline = replace(world.pipeline, sink=lambda _: MemorySink(index, answer))
    return pipeline.delivery(documents, "i", world.store, draw=Draw.AFTER_HYDRATION, recheck_created=False)


def a_table() -> MemoryTable:
    table = a_world().table
    table.routing = "routing"
    return table


def places(index: MemoryIndex) -> list[str | None]:
    return [document.draft.routing for document in index.hits()]


def test_a_removal_that_meets_a_number_nobody_can_have_drawn_is_sent_again(index: MemoryIndex) -> None:
    """† Though the document itself was written without a conflict, in its new place."""
    table = a_table()
    table.put(KEY, n=1, routing="a")
    foreign = a_delivery(MemoryDocuments(table), index, numbers_above=1000)
    foreign.deliver([KEY])
    table.put(KEY, n=2, routing="b")
    delivered = a_delivery(MemoryDocuments(table), index).deliver([KEY], {KEY: frozenset({"a"})})
    assert isinstance(delivered.outcomes[KEY], Applied)
    assert places(index) == ["b"]


def test_a_document_that_is_routed_anew_is_there_once(index: MemoryIndex) -> None:
    """Its old place is emptied first: in one shard, the removal would take the new document with it."""
    table = a_table()
    delivery = a_delivery(MemoryDocuments(table), index)
    table.put(KEY, routing="a")
    delivery.deliver([KEY])
    table.put(KEY, routing="b")
    delivered = delivery.deliver([KEY], {KEY: frozenset({"a", "b"})})
    assert places(index) == ["b"]
    assert isinstance(delivered.outcomes[KEY], Applied)


def test_without_a_word_of_its_old_place_a_document_stays_there() -> None:
    """Which is why routing needs triggers."""
    table = a_table()
    index = MemoryIndex(IndexIdentity("u", {}), 8)
    delivery = a_delivery(MemoryDocuments(table), index)
    for routing in "ab":
        table.put(KEY, routing=routing)
        delivery.deliver([KEY])
    assert sorted(map(str, places(index))) == ["a", "b"]


@pytest.mark.parametrize("routings", [{}, {KEY: frozenset({"b"})}])
def test_a_row_without_document_has_it_removed_where_it_was(
    index: MemoryIndex, routings: dict[Key, frozenset[str]]
) -> None:
    """A soft-deleted row says so itself, and a tombstone may name another place."""
    table = a_table()
    for routing in ["a", *(place for found in routings.values() for place in found)]:
        table.put(KEY, routing=routing)
        a_delivery(MemoryDocuments(table), index).deliver([KEY])
    a_delivery(Gone("a"), index).deliver([KEY], routings)
    assert places(index) == []


def test_a_row_that_is_gone_is_removed_where_its_tombstone_says(index: MemoryIndex) -> None:
    """Nothing else remembers it."""
    table = a_table()
    table.put(KEY, routing="a")
    a_delivery(MemoryDocuments(table), index).deliver([KEY])
    table.delete(KEY)
    a_delivery(MemoryDocuments(table), index).deliver([KEY], {KEY: frozenset({"a"})})
    assert places(index) == []


def test_a_removal_that_is_put_off_puts_off_its_key(index: MemoryIndex) -> None:
    """Though the document itself is written: its tombstone must come again."""
    table = a_table()
    table.put(KEY, routing="b")

    def busy(write: Write) -> Outcome | None:
        return Deferred("busy") if isinstance(write, Removal) else None

    delivered = a_delivery(MemoryDocuments(table), index, busy).deliver([KEY], {KEY: frozenset({"a"})})
    assert delivered.outcomes == {KEY: Deferred("busy")}
    assert places(index) == ["b"]
