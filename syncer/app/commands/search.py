"""`syncer search`: query a pipeline's index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.log_events import one_line
from syncer.core.error import ConfigurationError
from syncer.core.search.condition import Condition, Term
from syncer.core.search.fusion import Fusion
from syncer.core.search.request import Mode, Request
from syncer.core.search.result import Hit

#: How much of a document a line shows.
_SHOWN_CHARACTERS = 300


def search(
    invocation: Invocation, name: str, text: str, *, mode: Mode | None, filters: Sequence[str], size: int
) -> ExitCode:
    """Print the best documents; without a mode: hybrid where the pipeline has an embedding, else by keywords."""
    fusion = Fusion(window=max(size, Fusion().window))
    request = Request(text, mode, fusion=fusion, conditions=_conditions(filters), size=size)
    with invocation.application() as (application, _):
        (name,) = application.names([name])
        result = application.searcher(name).search(request)
    document = {"pipeline": name, "mode": result.mode.value, "hits": [_document(hit) for hit in result.hits]}
    invocation.show(document, lambda: _table(result.hits))
    return ExitCode.DONE


def _conditions(texts: Sequence[str]) -> tuple[Condition, ...]:
    """Return what documents must meet; a field that is given twice may have either value."""
    found: dict[str, list[str]] = {}
    for text in texts:
        field, equals, value = text.partition("=")
        if not (field and equals):
            raise ConfigurationError(f"--filter {text!r} is not a condition", hint="write field=value")
        found.setdefault(field, []).append(value)
    return tuple(Term(name, tuple(values)) for name, values in found.items())


def _document(hit: Hit) -> dict[str, Any]:
    return {"id": hit.id, "score": hit.score, "source": dict(hit.source), "ranks": dict(hit.ranks)}


def _table(hits: Sequence[Hit]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("id", no_wrap=True)
    table.add_column("score", justify="right")
    table.add_column("found by")
    table.add_column("document", overflow="fold")
    for number, hit in enumerate(hits, start=1):
        ranks = ", ".join(f"{mode} {rank}" for mode, rank in hit.ranks.items())
        fields = "  ".join(f"{name}: {one_line(str(value))}" for name, value in hit.source.items() if value is not None)
        table.add_row(str(number), hit.id, f"{hit.score or 0:.4f}", ranks, fields[:_SHOWN_CHARACTERS])
    return table
