"""Vectors that are known are not computed again, on the memory adapters."""

from __future__ import annotations

from dataclasses import replace

from syncer.engine.rebuild import rebuild
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
