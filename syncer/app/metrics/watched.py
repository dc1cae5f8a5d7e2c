"""What the watch of a daemon sees, as metrics: the cluster, and what people are told of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from syncer.app.metrics import definition as of
from syncer.app.metrics.definition import Definition, Kind
from syncer.core.alert import Alert
from syncer.core.cluster import ClusterLook, IndexLook, NodeLook

#: The values of the labels, and a number; None: not known.
Value = tuple[Sequence[str], float | None]


@dataclass(frozen=True, slots=True)
class _Watched:
    definition: Definition
    values: Callable[[ClusterLook], Iterable[Value]]


class WatchCollector(Collector):
    """Exports what was seen last, as it is when it is asked."""

    def __init__(self, cluster: Callable[[], ClusterLook | None], firing: Callable[[], Sequence[Alert]]) -> None:
        self._cluster = cluster
        self._firing = firing

    def collect(self) -> Iterator[Metric]:
        alerts = [
            ((alert.name, alert.severity.value, *(alert.labels.get(label, "") for label in of.ALERT.labels[2:])), 1.0)
            for alert in self._firing()
        ]
        yield _metric(of.ALERT, alerts)
        if (look := self._cluster()) is not None:
            for watched in _WATCHED:
                yield _metric(watched.definition, watched.values(look))

    def describe(self) -> Iterator[Metric]:
        for definition in (of.ALERT, *(watched.definition for watched in _WATCHED)):
            yield _metric(definition, ())


def _metric(definition: Definition, values: Iterable[Value]) -> Metric:
    made = CounterMetricFamily if definition.kind is Kind.COUNTER else GaugeMetricFamily
    family = made(definition.name, definition.help, labels=definition.labels)
    for labels, value in values:
        if value is not None:
            family.add_metric(list(labels), value)
    return family


def _status(look: ClusterLook) -> Iterator[Value]:
    if look.status is not None:
        yield from (((status,), float(look.status == status)) for status in ("green", "yellow", "red"))


def _whole(get: Callable[[ClusterLook], float | None]) -> Callable[[ClusterLook], Iterable[Value]]:
    return lambda look: [((), get(look))]


def _nodes(get: Callable[[NodeLook], float | None]) -> Callable[[ClusterLook], Iterable[Value]]:
    return lambda look: [((node.name,), get(node)) for node in look.nodes]


def _pools(
    search: Callable[[NodeLook], float | None], write: Callable[[NodeLook], float | None]
) -> Callable[[ClusterLook], Iterable[Value]]:
    return lambda look: [
        ((node.name, pool), get(node)) for node in look.nodes for pool, get in (("search", search), ("write", write))
    ]


def _indices(get: Callable[[IndexLook], float | None]) -> Callable[[ClusterLook], Iterable[Value]]:
    return lambda look: [((index.pipeline, index.name), get(index)) for index in look.indices]


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


_WATCHED = (
    _Watched(of.CLUSTER_STATUS, _status),
    _Watched(of.UNASSIGNED, _whole(lambda look: look.unassigned_shards)),
    _Watched(of.PENDING, _whole(lambda look: look.pending_tasks)),
    _Watched(of.NODE_HEAP, _nodes(lambda node: _share(node.heap_percent))),
    _Watched(of.NODE_DISK, _nodes(lambda node: _share(node.disk_percent))),
    _Watched(of.NODE_SHARDS, _nodes(lambda node: node.shards)),
    _Watched(of.NODE_QUEUE, _pools(lambda node: node.search_queue, lambda node: node.write_queue)),
    _Watched(of.NODE_REJECTED, _pools(lambda node: node.search_rejected, lambda node: node.write_rejected)),
    _Watched(of.NODE_TRIPPED, _nodes(lambda node: node.breakers_tripped)),
    _Watched(of.INDEX_QUERIES, _indices(lambda index: index.queries)),
    _Watched(of.INDEX_QUERY_SECONDS, _indices(lambda index: _seconds(index.query_ms))),
    _Watched(of.INDEX_WRITES, _indices(lambda index: index.indexed)),
    _Watched(of.INDEX_WRITE_SECONDS, _indices(lambda index: _seconds(index.indexing_ms))),
)
