"""The progress bar."""

from __future__ import annotations

from io import StringIO

import pytest
import structlog
from rich.console import Console

from syncer.adapters.memory.clock import MemoryClock
from syncer.app.progress import LoadLines, progress

pytestmark = pytest.mark.usefixtures("logs")


def test_a_terminal_gets_a_bar_with_speed_and_remaining_time() -> None:
    """Rows of rows, rows a second, time to go; and it ends when the last load ends."""
    clock, out = MemoryClock(), StringIO()
    console = Console(file=out, force_terminal=True, width=100, force_interactive=True)
    with progress(["articles", "authors"], clock, console) as shown:
        assert out.getvalue() == ""
        shown["articles"](1000, 3000)
        clock.advance(10)
        shown["articles"](2000, 3000)
        shown["articles"].done()
        after = len(out.getvalue())
        console.print("later")
        assert out.getvalue()[after:] == "later\n"
    text = out.getvalue()
    assert "2000/3000" in text
    assert "100 rows/s" in text
    assert "authors" not in text


def test_elsewhere_it_is_log_lines() -> None:
    """A bar in a log file is noise."""
    with progress(["articles"], MemoryClock(), Console(file=StringIO())) as shown:
        assert isinstance(shown["articles"], LoadLines)


def test_rows_that_are_written_meanwhile_bring_about_no_line_for_each_batch() -> None:
    """They make every batch the last one of a load."""
    clock = MemoryClock()
    with structlog.testing.capture_logs() as lines:
        load = LoadLines("articles", clock)
        for settled in range(0, 3000, 100):
            load(settled, max(1000, settled))
            clock.advance(0.1)
        load.done()
    assert [line["rows"] for line in lines] == [0, 1000]
