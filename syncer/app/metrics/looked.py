"""What a look at the servers tells, as metrics: of pipelines, whoever follows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from syncer import __version__
from syncer.app.metrics import definition as of
from syncer.app.metrics.definition import Definition
from syncer.app.pipeline_report import PipelineReport
from syncer.app.status_board import Board
from syncer.core.overview import Overview

#: The values of the labels behind `pipeline`, and a number.
Value = tuple[Sequence[str], float]


@dataclass(frozen=True, slots=True)
class _Looked:
    definition: Definition
    values: Callable[[PipelineReport], Iterable[Value]]


class LookCollector(Collector):
    """Exports the last look, as it is when it is asked."""

    def __init__(self, board: Callable[[], Board]) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        board = self._board()
        info = _family(of.INFO)
        info.add_metric([__version__], 1)
        yield info
        age = _family(of.LOOK_AGE)
        age.add_metric([], board.age_seconds)
        yield age
        if board.look is None:
            return
        for looked in _LOOKED:
            family = _family(looked.definition)
            for name, report in board.look.reports.items():
                for labels, value in looked.values(report):
                    family.add_metric([name, *labels], value)
            yield family

    def describe(self) -> Iterator[Metric]:
        # What the registry would ask for by collecting, before there is a look.
        yield from map(_family, (of.INFO, of.LOOK_AGE, *(looked.definition for looked in _LOOKED)))


def _family(definition: Definition) -> GaugeMetricFamily:
    return GaugeMetricFamily(definition.name, definition.help, labels=definition.labels)


def _one(get: Callable[[PipelineReport], float | None]) -> Callable[[PipelineReport], Iterable[Value]]:
    """Return what yields a number, if it is known."""

    def values(report: PipelineReport) -> Iterator[Value]:
        if (value := get(report)) is not None:
            yield (), value

    return values


def _known(get: Callable[[Overview], float]) -> Callable[[PipelineReport], Iterable[Value]]:
    """Return what yields a number of the state's, where there is an index."""
    return _one(lambda report: get(report.status.overview) if report.status.overview else None)


def _state(report: PipelineReport) -> Iterator[Value]:
    for state in ("new", "loading", "following", "paused", "stopped"):
        yield (state,), float(report.status.state == state)


def _blocker(report: PipelineReport) -> float | None:
    status = report.status
    if status.blockers is None or status.source_time is None:
        return None
    since = [blocker.since for blocker in status.blockers if blocker.since]
    return max(0.0, (status.source_time - min(since)).total_seconds()) if since else 0.0


def _holder(report: PipelineReport) -> Iterator[Value]:
    if report.status.overview and report.status.overview.holder:
        # Neither pid nor time: each start would be another series.
        yield (report.status.overview.holder.address or "local",), 1


def _building(report: PipelineReport) -> Iterator[Value]:
    if report.status.building:
        yield (report.status.building.record.phase.value,), 1


def _unreachable(report: PipelineReport) -> Iterator[Value]:
    if found := report.status.unreachable:
        yield from ((("missing",), found.missing), (("infinite",), found.infinite), (("future",), found.future))


def _jobs(report: PipelineReport) -> Iterator[Value]:
    for job in report.jobs:
        if job.last:
            yield (job.job.value, job.last.outcome.value), job.last.started_at.timestamp()


def _bytes(report: PipelineReport) -> float | None:
    name = report.status.record.name if report.status.record else None
    found = next((each.statistics for each in report.indices if each.name == name), None)
    return found.bytes if found else None


def _verified(report: PipelineReport) -> float | None:
    record = report.status.record
    return record.verified_at.timestamp() if record and record.verified_at else None


_LOOKED = (
    _Looked(of.LAG, _one(lambda report: report.status.lag_seconds)),
    _Looked(of.HORIZON_LAG, _one(lambda report: report.status.horizon_lag_seconds)),
    _Looked(of.BLOCKER_AGE, _one(_blocker)),
    _Looked(of.STATE, _state),
    _Looked(of.LEASE, _holder),
    _Looked(of.PROBLEMS, _one(lambda report: len(report.status.problems))),
    _Looked(of.INDEX_DOCUMENTS, _one(lambda report: report.status.documents)),
    _Looked(of.INDEX_BYTES, _one(_bytes)),
    _Looked(of.DEAD_LETTERS, _known(lambda overview: overview.dead_letters)),
    _Looked(of.RETRIED, _known(lambda overview: overview.passing)),
    _Looked(of.UNREACHABLE, _unreachable),
    _Looked(of.FAN_OUTS, _known(lambda overview: overview.fan_outs)),
    _Looked(of.LOAD_ROWS, _one(lambda report: report.status.load[1] if report.status.load else None)),
    _Looked(of.LOAD_SETTLED, _one(lambda report: report.status.load[0] if report.status.load else None)),
    _Looked(of.BUILDING, _building),
    _Looked(
        of.VERIFY_NEEDED,
        _one(lambda report: bool(report.status.record.verify_needed) if report.status.record else None),
    ),
    _Looked(of.VERIFIED, _one(_verified)),
    _Looked(of.VERIFY_DIFFERENCES, _one(lambda report: report.differences)),
    _Looked(of.JOB_STARTED, _jobs),
)
