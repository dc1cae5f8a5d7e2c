"""Whether a process can do what it is there for, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncer.app.status import PipelineStatus
from syncer.app.status_board import Board

#: What was seen longer ago tells nothing of now.
_OLD_SECONDS = 60.0


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
            source = status.source_time is not None
            parts += [
                Part(f"{name}.source", source, "answers" if source else _problem(status, "the ")),
                _elasticsearch(status),
                Part(f"{name}.lease", status.state != "stopped", _role(status)),
                _lag(status, lag_seconds),
            ]
    return parts


def searching(board: Board) -> Sequence[Part]:
    """Return what `syncer serve` needs: whatever is away but Elasticsearch, searches go on."""
    if board.look is None:
        return [_state(board)]
    return [_elasticsearch(report.status) for report in board.look.reports.values()]


def _state(board: Board) -> Part:
    if board.look is None or board.age_seconds > _OLD_SECONDS:
        return Part("state", False, board.trouble or "was not looked at yet")
    return Part("state", True, "answers")


def _elasticsearch(status: PipelineStatus) -> Part:
    name = f"{status.name}.elasticsearch"
    if status.documents is not None:
        return Part(name, True, "answers")
    away = _problem(status, "Elasticsearch")
    return Part(name, not away, away or "has no index yet")


def _problem(status: PipelineStatus, what: str) -> str:
    """Return why something could not be looked at."""
    return next((said for said in status.problems if said.startswith(what)), "")


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
