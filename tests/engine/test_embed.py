"""Vectors that are known are not computed again, on the memory adapters."""

from __future__ import annotations

from dataclasses import replace

from syncer.adapters.memory.source import MemoryKeyFeed
from syncer.core.outcome import Rejected
from syncer.core.text_counts import TextCounts
from syncer.engine.backfill import backfill
from syncer.engine.rebuild import rebuild
from syncer.engine.resync import resync
from tests.builders import a_world


def test_a_rebuild_that_changes_no_text_embeds_nothing() -> None:
    """Every text is asked for in the cache, of which no index is part."""
    world = a_world(embedding=True)
    for i in range(40):
        world.table.put((f"{i:03}",), text=f"text {i}")
    world.worker().run_once()
    vectors, asked = world.index.vectors(), list(world.embedder.asked)
    assert len(asked) == 40
    world.clock.advance(1)  # indices are named by the time
    changed = replace(world.pipeline, fingerprint={**world.pipeline.fingerprint, "mapping": "m2"})
    report = rebuild(changed, world.events).report
    assert (report.embedded, report.cached) == (0, 40)
    assert world.embedder.asked == asked
    assert world.index.vectors() == vectors != {}


def test_a_row_whose_text_has_no_vector_is_a_dead_letter() -> None:
    """The others of its batch are written; what is in the index of it stays, until it can be embedded."""
    world = a_world(embedding=True)
    world.embedder.refused = {"bad"}
    for i in range(3):
        world.table.put((f"{i:03}",), text=f"text {i}")
    world.table.put(("003",), text="bad")
    report = world.worker().run_once()
    assert (report.applied, report.rejected, report.embedded) == (3, 1, 3)
    assert len(world.index.vectors()) == 3
    (letter,) = world.dead_letters()
    assert (letter.key, letter.kind) == (("003",), "no_vector")
    world.embedder.refused = set()
    world.table.put(("003",), text="bad")
    world.worker().run_once()
    assert len(world.index.vectors()) == 4
    assert world.dead_letters() == []


def test_what_became_of_texts_adds_up_in_the_record_of_their_index() -> None:
    """Whoever delivers: a load, polls, a backfill, a resync; and the second look at a row that was refused."""
    world = a_world(embedding=True)
    world.embedder.window = len("text 0")
    for i in range(12):
        world.table.put((f"{i:03}",), text=f"text {i}")
    expected = world.worker().run_once().texts
    assert (expected.embedded, expected.truncated) == (12, 2)
    assert world.record.texts == expected
    with world.following() as poll:
        world.table.put(("000",), text="text 1")
        world.table.put(("001",), text="a new text")
        polled = poll().report.texts
    assert polled.truncated == 1
    expected += polled
    assert world.record.texts == expected
    store, index = world.store, world.record.name
    progress = store.backfill(index)
    expected += backfill(world.pipeline, index, progress).report.texts
    progress.release()
    assert world.record.texts == expected
    world.answers[("000",)] = Rejected("bad", "bad")
    feed = MemoryKeyFeed(world.table, [("000",), ("001",)])
    expected += resync(world.pipeline, world.pipeline.reader().documents, index, feed).texts + TextCounts(cached=1)
    assert world.record.texts == expected
