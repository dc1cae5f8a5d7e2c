"""What of a cluster asks for attention, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from syncer.core.cluster import ClusterLook, IndexLook, NodeLook, Watermarks

#: A node that uses more of its heap collects garbage all the time.
HEAP_PERCENT = 85.0
#: The default of Elasticsearch's low watermark.
DISK_PERCENT = 85.0
#: By so many shards a node may have more than another one: the allocation weighs disk and load too.
_SHARDS_APART, _SHARDS_RATIO = 10, 2.0
_PENDING_TASKS = 50
_QUEUE = 200

#: Slow enough to be worth a line, and seldom enough not to fill a disk.
SLOW_LOG: Mapping[str, str] = {
    "index.search.slowlog.threshold.query.warn": "2s",
    "index.search.slowlog.threshold.query.info": "500ms",
    "index.search.slowlog.threshold.fetch.warn": "1s",
    "index.indexing.slowlog.threshold.index.warn": "5s",
}


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing."""

    what: str
    remedy: str


def advice(look: ClusterLook, aliases: Mapping[str, str]) -> Iterator[Advice]:
    """Yield what asks for attention, the gravest first; aliases: by pipeline."""
    yield from _health(look)
    for node in look.nodes:
        yield from _disk(node, look.watermarks)
        yield from _node(node)
    if look.pending_tasks is not None and look.pending_tasks > _PENDING_TASKS:
        yield Advice(
            f"{look.pending_tasks:,} changes of the cluster's state wait for the master",
            "GET /_cluster/pending_tasks names them; who creates indices or changes mappings all the time?",
        )
    if counts := look.shard_counts:
        fewest, most = counts
        if most - fewest > _SHARDS_APART and most > _SHARDS_RATIO * fewest:
            yield Advice(
                f"shards are not spread: a node has {most}, another one {fewest}",
                "GET /_cluster/allocation/explain tells what keeps them; is cluster.routing.rebalance.enable off?",
            )
    for pipeline, alias in aliases.items():
        yield from _slow_log(pipeline, alias, [index for index in look.indices if index.pipeline == pipeline])


def slow_log_request(alias: str) -> str:
    """Return the request that sets thresholds for the slow logs of what the alias stands for."""
    return f"PUT /{alias}/_settings {json.dumps(SLOW_LOG)}"


def _health(look: ClusterLook) -> Iterator[Advice]:
    if look.status == "red":
        red = ", ".join(index.name for index in look.indices if index.health == "red")
        what = "the cluster is red: a primary shard is away, and what it holds can be neither searched nor written"
        yield Advice(f"{what}; of the pipelines: {red or 'none'}", f"{_EXPLAIN}; {_ALL_RED}")
    elif look.status == "yellow":
        missing = f"{look.unassigned_shards} copies of shards" if look.unassigned_shards else "copies of shards"
        alone = "; a single node has no place for copies: index: {replicas: 0}" if look.data_nodes == 1 else ""
        yield Advice(f"the cluster is yellow: {missing} are away", _EXPLAIN + alone)


_ALL_RED = "GET /_cat/indices?health=red names all indices that are red"
_EXPLAIN = "GET /_cluster/allocation/explain tells what keeps a shard from its place"


def _disk(node: NodeLook, watermarks: Watermarks) -> Iterator[Advice]:
    used, free, total = node.disk_percent, node.disk_free_bytes, node.disk_bytes
    if used is None or free is None or total is None:
        return
    marks = (
        (watermarks.flood_stage, "the flood stage, so that the indices on it refuse writes"),
        (watermarks.high, "the high watermark, so that shards leave it, if another node takes them"),
        (watermarks.low, "the low watermark, so that it takes no more shards"),
    )
    beyond = next(
        (what for mark, what in marks if mark and (must := mark.free_bytes(total)) is not None and free < must), None
    )
    if beyond or used > DISK_PERCENT:
        yield Advice(
            f"node {node.name}: {used:.0f} % of its disk is in use{f', more than {beyond}' if beyond else ''}",
            "delete what is not needed (`syncer indices` lists kept indices), or add disk or a node; a block on writes "
            "goes by itself when there is room",
        )


def _node(node: NodeLook) -> Iterator[Advice]:
    if node.heap_percent is not None and node.heap_percent > HEAP_PERCENT:
        yield Advice(
            f"node {node.name}: {node.heap_percent:.0f} % of its heap is in use",
            "give it more heap, up to half of the memory and 31 GB, or spread shards over more nodes",
        )
    if node.breakers_tripped:
        yield Advice(
            f"node {node.name}: circuit breakers have refused {node.breakers_tripped:,} requests since it was started",
            "GET /_nodes/stats/breaker names them; ask for less at once, or give it more heap",
        )
    for kind, refused, queue in (
        ("searches", node.search_rejected, node.search_queue),
        ("writes", node.write_rejected, node.write_queue),
    ):
        if refused or (queue or 0) > _QUEUE:
            what = f"{refused or 0:,} {kind} refused since it was started, {queue or 0:,} are waiting"
            yield Advice(f"node {node.name}: {what}", "fewer at once, or more nodes; syncer tries refused writes again")


def _slow_log(pipeline: str, alias: str, indices: list[IndexLook]) -> Iterator[Advice]:
    if any(index.slow_queries_logged is False or index.slow_indexing_logged is False for index in indices):
        yield Advice(
            f"pipeline {pipeline}: slow searches or writes of an index are logged nowhere",
            f"{slow_log_request(alias)}; again after a rebuild, unless index.settings of the pipeline has it too",
        )
