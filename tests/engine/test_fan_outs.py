"""Changes of related rows: each reaches all documents that the row is part of, and holds up nothing else."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

from syncer.adapters.memory.source import MemoryGlance
from syncer.adapters.memory.table import MemoryRelation, MemoryTable
from syncer.core.change import Change, Write
from syncer.core.fan_out import FanOut
from syncer.core.key import Key
from syncer.core.outcome import Deferred
from syncer.core.position import START
from syncer.engine.origin import Origin, joined
from syncer.engine.verify import reconcile
from tests.builders import World, a_world

ADA: Key = ("ada",)
BO: Key = ("bo",)
BATCH = 10


def a_related_world(documents: int = 0, *, triggers: bool = True) -> tuple[World, MemoryTable]:
    """Return a world whose documents have an author: so many are Ada's, and two more are Bo's; loaded."""
    world = a_world(batch_rows=BATCH)
    authors = MemoryTable(world.clock, "public.author")
    world.table.triggers = authors.triggers = triggers
    world.table.relations.append(MemoryRelation("author", authors, of_root="by"))
    authors.put(ADA, name="Ada")
    authors.put(BO, name="Bo")
    for number in range(documents):
        world.table.put((f"{number:05}",), by="ada")
    world.table.put(("b1",), by="bo")
    world.table.put(("b2",), by="bo")
    world.clock.advance(60)
    world.worker().run_once()
    assert world.equal()
    world.clock.advance(60)
    world.worker().run_once()
    world.written.clear()
    return world, authors


def waiting(world: World) -> FanOut | None:
    lease = world.store.acquire(world.record.name)
    try:
        return lease.fan_out()
    finally:
        lease.release()


def fresh(world: World) -> int:
    """Return how many documents are equal to the table."""
    truth, documents = world.table.documents(), world.index.documents()
    return sum(documents.get(key) == values for key, values in truth.items())


def test_a_change_of_a_related_row_refreshes_the_documents_that_it_is_part_of() -> None:
    """And no others."""
    world, authors = a_related_world(5)
    authors.put(ADA, name="Ada L.")
    world.worker().run_once()
    assert world.equal()
    assert sorted(write.key for write in world.written) == [(f"{number:05}",) for number in range(5)]


def test_a_row_of_many_documents_is_fanned_out_in_portions() -> None:
    """A poll delivers no more of them than a portion, so that it ends soon."""
    world, authors = a_related_world(95)
    with world.following() as poll:
        poll()
        authors.put(ADA, name="Ada L.")
        polls = 0
        while not world.equal():
            before = len(world.written)
            polled = poll()
            polls += 1
            assert polls < 50
            assert len(world.written) - before <= BATCH + 10 * BATCH
            assert polled.caught_up <= world.equal()
        assert polls > 1
        while poll().fanning_out:
            pass
    assert waiting(world) is None
    assert len(world.written) == 95


def test_a_row_that_polls_read_again_does_not_begin_again() -> None:
    """As those above the checkpoint are, though many other rows were delivered since."""
    world = a_world(batch_rows=BATCH, window_entries=1)
    authors = MemoryTable(world.clock, "public.author")
    world.table.relations.append(MemoryRelation("author", authors, of_root="by"))
    for number in range(50):
        world.table.put((f"{number:05}",), by="ada")
    world.clock.advance(60)
    with world.following() as poll:
        poll()
        world.written.clear()
        authors.put(ADA, name="Ada")
        for _ in range(30):
            poll()
    assert world.equal()
    assert len(world.written) == 50


def test_fresh_changes_do_not_wait_for_a_fan_out() -> None:
    """Neither of documents nor of other related rows: the poll that follows delivers them, before its portion."""
    world, authors = a_related_world(200)
    with world.following() as poll:
        poll()
        authors.put(ADA, name="Ada L.")
        assert poll().fanning_out
        world.table.put(("new",), by="bo")
        authors.put(BO, name="Bo B.")
        world.written.clear()
        assert poll().fanning_out
        assert {write.key for write in world.written[:3]} == {("new",), ("b1",), ("b2",)}
        documents = world.index.documents()
        assert [documents[key,]["author"][0]["name"] for key in ("new", "b1", "b2")] == ["Bo B."] * 3
        assert fresh(world) < 203


def test_another_process_goes_on_with_a_fan_out() -> None:
    """Where the last one was killed, once the checkpoint has passed the row: else it begins again."""
    world, authors = a_related_world(100)
    with closing(world.worker().session()) as session:
        next(session)
        authors.put(ADA, name="Ada L.")
        next(session)
        world.clock.advance(60)
        next(session)
    left = waiting(world)
    assert left is not None
    assert left.after is not None
    world.clock.advance(60)
    world.written.clear()
    world.worker().run_once()
    assert world.equal()
    assert waiting(world) is None
    keys = [write.key for write in world.written]
    assert keys == [(f"{number:05}",) for number in range(int(left.after[0]) + 1, 100)]


def test_what_was_delivered_before_the_row_changed_again_is_delivered_again() -> None:
    """However far the fan-out was."""
    for polls in range(1, 9):
        world, authors = a_related_world(95)
        with world.following() as poll:
            poll()
            authors.put(ADA, name="Ada L.")
            for _ in range(polls):
                poll()
            authors.put(ADA, name="Countess")
            while poll().fanning_out:
                pass
        assert world.equal()


def test_a_row_that_keeps_changing_does_not_keep_its_last_documents_stale() -> None:
    """A fan-out goes round in a circle: all documents are reached, however often it begins again."""
    world, authors = a_related_world(150)
    seen: set[Key] = set()
    with world.following() as poll:
        poll()
        world.written.clear()
        for number in range(60):
            authors.put(ADA, name=f"Ada {number}")
            poll()
            seen |= {write.key for write in world.written}
        assert len(seen) == 150
        while poll().fanning_out:
            pass
    assert world.equal()


def test_what_is_put_off_of_a_portion_comes_again() -> None:
    """It alone, so that a server under pressure takes a portion in the end; until then nothing counts as delivered."""
    world, authors = a_related_world(60)
    with world.following() as poll:
        poll()
        authors.put(ADA, name="Ada L.")
        poll()
        world.answers[("00035",)] = Deferred("busy")
        for _ in range(20):
            assert poll().fanning_out
        assert len(world.written) < 100
        world.answers.clear()
        while poll().fanning_out:
            pass
    assert world.equal()


def test_a_row_that_changes_again_while_a_part_is_put_off_refreshes_all_of_it() -> None:
    """What was delivered of the portion before, too."""
    world, authors = a_related_world(60)
    with world.following() as poll:
        poll()
        authors.put(ADA, name="Ada L.")
        world.answers[("00001",)] = Deferred("busy")
        for _ in range(3):
            poll()
        authors.put(ADA, name="Countess")
        poll()
        world.answers.clear()
        while poll().fanning_out:
            pass
    assert world.equal()


def test_a_row_that_leads_to_another_document_refreshes_both() -> None:
    """The one that it was part of too, which only a tombstone tells."""
    world = a_world()
    comments = MemoryTable(world.clock, "public.comment")
    comments.joined_by = "item"
    world.table.triggers = comments.triggers = True
    world.table.relations.append(MemoryRelation("comments", comments, column="item"))
    for key in ("one", "two"):
        world.table.put((key,), n=1)
    comments.put(("c",), item="one", text="fine")
    world.clock.advance(60)
    world.worker().run_once()
    world.clock.advance(60)
    comments.put(("c",), item="two", text="fine")
    world.worker().run_once()
    assert world.index.documents()["one",]["comments"] == []
    assert world.equal()


def test_a_deleted_related_row_refreshes_the_documents_that_it_was_part_of() -> None:
    """Many, too."""
    world, authors = a_related_world(60)
    authors.delete(ADA)
    world.worker().run_once()
    assert world.equal()
    assert world.index.documents()["00059",]["author"] == []


def test_without_triggers_a_deleted_related_row_is_found_by_verify() -> None:
    """Which mends the documents."""
    world, authors = a_related_world(3, triggers=False)
    authors.delete(ADA)
    world.worker().run_once()
    assert not world.equal()
    found = reconcile(world.pipeline, world.record)
    assert (found.differences.total(), found.repaired) == (3, 3)
    assert world.equal()


def test_a_truncated_related_table_asks_for_a_comparison() -> None:
    """Of the whole index: nothing tells which documents its rows were part of."""
    world, authors = a_related_world(3)
    authors.truncate()
    world.worker().run_once()
    assert world.equal()


def test_a_fan_out_of_a_relation_that_is_no_more_ends() -> None:
    """Its documents hold nothing of that table any more."""
    world, authors = a_related_world(60)
    with world.following() as poll:
        poll()
        authors.put(ADA, name="Ada L.")
        poll()
    assert waiting(world) is not None
    inner = world.pipeline.reader
    feeds = inner().feeds[:2]
    world.pipeline = replace(
        world.pipeline, reader=lambda: replace(inner(), related=[], feeds=feeds, glance=MemoryGlance(feeds))
    )
    world.worker().run_once()
    assert waiting(world) is not None, "nobody looks for fan-outs where there are no related feeds"
    other = MemoryTable(world.clock, "public.other")
    world.pipeline = replace(world.pipeline, reader=inner)
    world.table.relations[:] = [MemoryRelation("other", other, of_root="by")]
    world.worker().run_once()
    assert waiting(world) is None


def test_a_load_answers_for_related_rows_that_changed_before_it() -> None:
    """They are not fanned out by the first polls."""
    world = a_world(batch_rows=BATCH)
    authors = MemoryTable(world.clock, "public.author")
    world.table.relations.append(MemoryRelation("author", authors, of_root="by"))
    authors.put(ADA, name="Ada")
    for number in range(50):
        world.table.put((f"{number:05}",), by="ada")
    world.worker().run_once()
    assert world.equal()
    assert len(world.written) == 50


def test_tombstones_of_related_tables_are_pruned() -> None:
    """As those of the root are."""
    world, authors = a_related_world(3)
    authors.put(("cy",), name="Cy")
    authors.delete(("cy",))
    assert authors.tombstones()
    world.clock.advance(timedelta(days=2).total_seconds())
    with world.following() as poll:
        poll()
        assert authors.tombstones()
        poll()
    assert authors.tombstones() == []


def test_a_table_that_comes_into_the_documents_is_followed_from_then_on() -> None:
    """The index grows, and a fill delivers all of it: what the table holds is not fanned out besides."""
    world = a_world(batch_rows=BATCH)
    for number in range(50):
        world.table.put((f"{number:05}",), by="ada")
    authors = MemoryTable(world.clock, "public.author")
    authors.put(ADA, name="Ada")
    world.clock.advance(60)
    world.worker().run_once()
    world.written.clear()
    world.table.relations.append(MemoryRelation("author", authors, of_root="by"))
    world.pipeline = replace(
        world.pipeline,
        fingerprint={**world.pipeline.fingerprint, "mapping": "more"},
        definition={"mapping": "more"},
        grows_from=lambda _definition: True,
    )
    world.clock.advance(60)
    world.worker().run_once()
    assert world.equal()
    assert len(world.written) == 50
    authors.put(ADA, name="Ada L.")
    world.worker().run_once()
    assert world.equal()


def test_what_one_document_is_made_of_is_read_in_bounded_batches() -> None:
    """However many rows of another table name it at once."""
    named = [(("one",), Origin("comments", Change(("one",), START.watermark, str(n), (str(n),)))) for n in range(1000)]
    batches = list(joined(named, lambda: BATCH))
    assert [len(batch.origins["one",]) for batch in batches] == [10 * BATCH] * 10


def test_to_catch_up_is_to_go_round_once() -> None:
    """Else syncer run --once and rebuilds would never end beside a row that changes all the time."""
    world, authors = a_related_world(150)
    authors.put(ADA, name="Ada L.")
    world.table.put(("late",), by="bo")
    number, seen = 0, set[Key]()

    def change(write: Write) -> None:
        nonlocal number
        if number % 5 == 0 and number < 2000:
            authors.put(ADA, name=f"Ada {number}")
        number += 1
        seen.add(write.key)

    world.on_write = change
    world.worker().run_once()
    assert number < 2000
    assert len(seen) == 151


def test_a_related_table_that_is_followed_from_now_on_is_compared_once() -> None:
    """Its rows are not read from the first one on: what changed, or is gone, is found by what documents hold."""
    world = a_world(batch_rows=BATCH)
    authors = MemoryTable(world.clock, "public.author")
    authors.put(ADA, name="Ada")
    for key, by in (("a", "ada"), ("b", "bo"), ("c", None)):
        world.table.put((key,), by=by)
    for _ in range(2):
        world.worker().run_once()
        world.clock.advance(60)
    world.table.relations.append(MemoryRelation("author", authors, of_root="by"))
    assert not world.equal()
    for _ in range(2):
        assert world.worker().run_once().read == 0
        assert world.equal()
        assert len(world.events.reconciliations) == 1
    authors.put(BO, name="Bo")
    assert world.worker().run_once().read == 1
    assert world.equal()
