"""The window of rows delivered already."""

from __future__ import annotations

from datetime import UTC, datetime

from syncer.core.change import Change
from syncer.core.window import Window

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def test_another_version_within_one_watermark_is_not_held() -> None:
    """Two updates within a whole-second watermark are two changes."""
    window = Window(10)
    window.add("f", Change(("1",), WHEN, "100"))
    assert window.holds("f", Change(("1",), WHEN, "100"))
    assert not window.holds("f", Change(("1",), WHEN, "101"))
    assert not window.holds("g", Change(("1",), WHEN, "100"))


def test_the_oldest_entry_is_forgotten_when_it_is_full() -> None:
    """Memory is bounded; forgetting costs a repeat."""
    window = Window(2)
    changes = [Change((str(i),), WHEN, "1") for i in range(3)]
    for change in changes:
        window.add("f", change)
    assert [window.holds("f", change) for change in changes] == [False, True, True]
    assert len(window) == 2
