"""What a load has written is made searchable while it goes on."""

from __future__ import annotations

import pytest

from syncer.core.error import IndexMissing
from syncer.engine.parting import PIECE_ROWS, Parting
from tests.builders import a_world


def test_a_piece_begins_with_the_first_rows_and_whenever_enough_were_written() -> None:
    """However often it is told of rows."""
    world = a_world()
    world.worker().run_once()
    name = world.record.name
    parting = Parting(world.pipeline, name)
    for rows in (0, 10, 500, PIECE_ROWS, PIECE_ROWS + 10, PIECE_ROWS + 20, 5 * PIECE_ROWS, 5 * PIECE_ROWS + 1):
        parting.written(rows, 6 * PIECE_ROWS)
        parting.end()
    assert len(world.indices.parted[name]) == 3


def test_of_many_rows_the_pieces_are_larger() -> None:
    """Small ones are merged again and again."""
    world = a_world()
    world.worker().run_once()
    name = world.record.name
    parting = Parting(world.pipeline, name)
    total = 1000 * PIECE_ROWS
    for rows in range(1, total, PIECE_ROWS):
        parting.written(rows, total)
        parting.end()
    assert len(world.indices.parted[name]) == 20


def test_that_it_failed_is_not_kept_from_the_load() -> None:
    """Of an index that is gone nothing is parted."""
    world = a_world()
    parting = Parting(world.pipeline, "gone")
    parting.written(1, 3 * PIECE_ROWS)
    with pytest.raises(IndexMissing):
        parting.end()
    with pytest.raises(IndexMissing):
        parting.written(2 * PIECE_ROWS, 3 * PIECE_ROWS)
