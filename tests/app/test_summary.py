"""What commands that deliver rows print at their end."""

from __future__ import annotations

import pytest
from rich.console import Console

from syncer.app.commands.summary import Summary, summary_table
from syncer.core.report import Report


@pytest.mark.parametrize("truncated", [0, 7])
def test_texts_that_the_model_did_not_read_to_their_end_have_a_column_where_there_are_some(truncated: int) -> None:
    """Scripts get their count always."""
    summary = Summary("articles", Report(read=9, embedded=9, truncated=truncated), 1.0)
    console = Console(width=120)
    with console.capture() as capture:
        console.print(summary_table([summary, Summary("others", Report(), 1.0)]))
    assert ("truncated" in capture.get()) == bool(truncated)
    assert summary.document()["truncated"] == truncated
