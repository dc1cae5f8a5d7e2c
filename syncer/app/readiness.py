"""Whether a process can do what it is there for, part by part."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncer.app.status import PipelineStatus
from syncer.app.status_board import Board
from syncer.core.error import SyncerError
from syncer.core.problem import ProblemKind
from syncer.ports import AsyncSearcher, Clock

#: What was seen longer ago tells nothing of now.
_OLD_SECONDS = 60.0
#: How long searches may take to answer a probe, and how long that answer is given again.
_ANSWER_SECONDS, _FRESH_SECONDS = 3.0, 2.0
#: Found or not: that it is looked for is what a probe is about.
_SOME_ID = "0"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is needed."""

    name: str
    ready: bool
    #: What was seen.
    said: str


def following(board: Board, lag_seconds: float) -> Sequence[Part]:
    """Return what `syncer run` needs; lag_seconds: how far pipelines may lag behind.

    A standby is ready: it follows as soon as the holder ends.
    """
    parts = [_state(board)]
    if board.look is not None:
        for name, report in board.look.reports.items():
            status = report.status
            away = _problem(status, ProblemKind.TABLE, ProblemKind.SOURCE)
            parts += [
                Part(f"{name}.source", not away, away or "answers"),
                _elasticsearch(status),
                Part(f"{name}.lease", status.state != "stopped", _role(status)),
                _lag(status, lag_seconds),
            ]
    return parts


class Searching:
    """What `syncer serve` needs: whatever is away but Elasticsearch, searches go on. For one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._parts: Sequence[Part] = ()

    async def parts(self, searchers: Mapping[str, AsyncSearcher]) -> Sequence[Part]:
        """Return whether each pipeline can be searched; however many ask, Elasticsearch is asked now and then."""
        async with self._asking:
            if self._clock.monotonic() - self._asked_at > _FRESH_SECONDS:
                self._parts = await asyncio.gather(*(_searched(name, by) for name, by in searchers.items()))
                self._asked_at = self._clock.monotonic()
            return self._parts


async def _searched(name: str, searcher: AsyncSearcher) -> Part:
    part = f"{name}.elasticsearch"
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await searcher.document(_SOME_ID)
    except SyncerError as error:
        return Part(part, False, error.message)
    except TimeoutError:
        return Part(part, False, f"does not answer within {_ANSWER_SECONDS:g} s")
    return Part(part, True, "answers")


def _state(board: Board) -> Part:
    if board.look is None or board.age_seconds > _OLD_SECONDS:
        return Part("state", False, board.trouble or "was not looked at yet")
    return Part("state", True, "answers")


def _elasticsearch(status: PipelineStatus) -> Part:
    name = f"{status.name}.elasticsearch"
    if status.documents is not None:
        return Part(name, True, "answers")
    away = _problem(status, ProblemKind.ELASTICSEARCH)
    return Part(name, not away, away or "has no index yet")


def _problem(status: PipelineStatus, *kinds: ProblemKind) -> str:
    """Return why something could not be looked at."""
    return next((problem.said for problem in status.problems if problem.kind in kinds), "")


def _role(status: PipelineStatus) -> str:
    if status.state == "stopped":
        return "nobody follows the pipeline"
    holder = status.overview.holder if status.overview else None
    return f"{status.state}, held by {holder}" if holder else status.state


def _lag(status: PipelineStatus, most: float) -> Part:
    name = f"{status.name}.lag"
    if status.lag_seconds is None:
        return Part(name, True, "not known yet")
    ready = status.lag_seconds <= most or status.paused_since is not None
    return Part(name, ready, f"{status.lag_seconds:.1f} s of {most:g} s")
