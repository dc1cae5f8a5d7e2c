"""Whether a process can do what it is there for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from syncer.app.pipeline_report import PipelineReport
from syncer.app.readiness import Part, following, searching
from syncer.app.status import PipelineStatus
from syncer.app.status_board import Board, Look
from syncer.core.overview import Overview

_NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)


def board(state: str = "following", age: float = 1.0, **known: Any) -> Board:
    status = PipelineStatus("items", state, **{"source_time": _NOW, "documents": 3, "lag_seconds": 2.0, **known})
    return Board(Look(0.0, _NOW, {"items": PipelineReport(status)}), age, None)


def missing(parts: list[Part] | Any) -> dict[str, str]:
    return {part.name: part.said for part in parts if not part.ready}


def test_a_process_is_ready_where_all_answer_and_somebody_follows() -> None:
    """A standby too: the lease is held by another process."""
    held = Overview({}, 0, 0, "other 12")
    parts = following(board(overview=held), 300)
    assert missing(parts) == {}
    said = {part.name: part.said for part in parts}
    assert said["items.lease"] == "following, held by other 12"
    assert said["items.lag"] == "2.0 s of 300 s"


def test_what_is_missing_is_named() -> None:
    """With what was seen of it."""
    away = "Elasticsearch cannot be looked at: connection refused"
    source = "the source cannot be looked at: no password"
    parts = following(
        board("stopped", documents=None, source_time=None, lag_seconds=400.0, problems=[away, source]), 300
    )
    assert missing(parts) == {
        "items.source": source,
        "items.elasticsearch": away,
        "items.lease": "nobody follows the pipeline",
        "items.lag": "400.0 s of 300 s",
    }


def test_a_look_that_is_old_tells_nothing() -> None:
    """The state database does not answer."""
    assert missing(following(Board(None, float("inf"), "no route to host"), 300)) == {"state": "no route to host"}
    assert "state" in missing(following(board(age=120.0), 300))


def test_a_pause_is_meant() -> None:
    """Whoever paused a pipeline does not want to be woken for its lag."""
    assert missing(following(board("paused", paused_since=_NOW, lag_seconds=9999.0), 300)) == {}


def test_searches_need_elasticsearch_alone() -> None:
    """They go on while the source is away, and while nobody follows."""
    assert missing(searching(board("stopped", source_time=None, lag_seconds=9999.0))) == {}
    away = "Elasticsearch cannot be looked at: connection refused"
    assert missing(searching(board(documents=None, problems=[away]))) == {"items.elasticsearch": away}
