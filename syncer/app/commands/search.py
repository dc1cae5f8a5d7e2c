"""`syncer search`: query a pipeline's index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.log_events import one_line
from syncer.core.error import ConfigurationError
from syncer.core.hit import Hit, Mode

#: How much of a document a line shows.
_SHOWN_CHARACTERS = 300


def search(
    invocation: Invocation, name: str, text: str, *, mode: Mode | None, filters: Sequence[str], size: int
) -> ExitCode:
    """Print the best documents; without a mode: hybrid where the pipeline has an embedding, else by keywords."""
    within = _filters(filters)
    with invocation.application() as (application, _):
        (name,) = application.names([name])
        chosen = mode or (Mode.HYBRID if application.blueprint(name).vectors else Mode.KEYWORD)
        hits = application.searcher(name).search(text, mode=chosen, filters=within, size=size)
    document = {"pipeline": name, "mode": chosen.value, "hits": [_document(hit) for hit in hits]}
    invocation.show(document, lambda: _table(hits))
    return ExitCode.DONE


def _filters(texts: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return the values by field; a field that is given twice may have either value."""
    found: dict[str, list[str]] = {}
    for text in texts:
        field, equals, value = text.partition("=")
        if not (field and equals):
            raise ConfigurationError(f"--filter {text!r} is not a condition", hint="write field=value")
        found.setdefault(field, []).append(value)
    return found


def _document(hit: Hit) -> dict[str, Any]:
    return {**asdict(hit), "source": dict(hit.source), "ranks": dict(hit.ranks)}


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
        table.add_row(str(number), hit.id, f"{hit.score:.4f}", ranks, fields[:_SHOWN_CHARACTERS])
    return table
