"""Whether a process can do what it is there for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from syncer.adapters.memory.clock import MemoryClock
from syncer.adapters.memory.searcher import MemorySearcher
from syncer.app.pipeline_report import PipelineReport
from syncer.app.readiness import Part, Searching, following
from syncer.app.status import PipelineStatus
from syncer.app.status_board import Board, Look
from syncer.core.error import SinkUnavailable
from syncer.core.overview import Holder, Overview
from syncer.core.problem import Problem, ProblemKind
from syncer.core.search.condition import Condition

_NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)


def board(state: str = "following", age: float = 1.0, **known: Any) -> Board:
    status = PipelineStatus("items", state, **{"source_time": _NOW, "documents": 3, "lag_seconds": 2.0, **known})
    return Board(Look(0.0, _NOW, {"items": PipelineReport(status)}), age, None)


class Away(MemorySearcher):
    """Nobody answers."""

    def __init__(self) -> None:
        super().__init__({}, [])
        self.asked = 0

    async def document(self, id: str, *, conditions: Sequence[Condition] = ()) -> Mapping[str, Any] | None:
        self.asked += 1
        raise SinkUnavailable("connection refused")


def missing(parts: list[Part] | Any) -> dict[str, str]:
    return {part.name: part.said for part in parts if not part.ready}


def test_a_process_is_ready_where_all_answer_and_somebody_follows() -> None:
    """A standby too: the lease is held by another process."""
    held = Overview({}, 0, 0, Holder(12, "other"))
    parts = following(board(overview=held), 300)
    assert missing(parts) == {}
    said = {part.name: part.said for part in parts}
    assert said["items.lease"] == "following, held by pid 12, other"
    assert said["items.lag"] == "2.0 s of 300 s"


def test_what_is_missing_is_named() -> None:
    """With what was seen of it."""
    away = "Elasticsearch cannot be looked at: connection refused"
    source = "the source cannot be looked at: no password"
    problems = [Problem(ProblemKind.ELASTICSEARCH, away), Problem(ProblemKind.SOURCE, source)]
    parts = following(board("stopped", documents=None, source_time=None, lag_seconds=400.0, problems=problems), 300)
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
    """It is asked itself: whatever becomes of source and state, searches go on."""
    clock = MemoryClock()
    there, away = MemorySearcher({}, []), Away()
    parts = asyncio.run(Searching(clock).parts({"items": there, "books": away}))
    assert missing(parts) == {"books.elasticsearch": "connection refused"}


def test_however_many_probes_come_elasticsearch_is_asked_now_and_then() -> None:
    """Anybody may ask whether the process is ready."""
    clock, away = MemoryClock(), Away()

    async def probes() -> None:
        searching = Searching(clock)
        for _ in range(10):
            await searching.parts({"books": away})
        assert away.asked == 1
        clock.advance(3)
        await searching.parts({"books": away})
        assert away.asked == 2

    asyncio.run(probes())
