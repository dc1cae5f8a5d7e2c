"""What Elasticsearch tells of itself at one moment, and what has changed since an earlier one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeLook:
    """One node; None: the server does not tell."""

    name: str
    heap_percent: float | None = None
    #: Of the file systems that hold its data, what is in use by anybody.
    disk_percent: float | None = None
    disk_bytes: int | None = None
    #: Of them, what can still be written.
    disk_free_bytes: int | None = None
    shards: int | None = None
    #: Tasks that wait for a thread.
    search_queue: int | None = None
    write_queue: int | None = None
    #: Tasks that were refused since the node was started, for the queue was full.
    search_rejected: int | None = None
    write_rejected: int | None = None
    #: Times that a circuit breaker has refused a request since then, all breakers together.
    breakers_tripped: int | None = None

    @property
    def rejected(self) -> int | None:
        """Tasks that were refused, searches and writes."""
        if self.search_rejected is None or self.write_rejected is None:
            return None
        return self.search_rejected + self.write_rejected


@dataclass(frozen=True, slots=True)
class IndexLook:
    """One index of a pipeline; counts and times are of all copies, since their shards were started."""

    pipeline: str
    name: str
    #: green, yellow, red; None: not told.
    health: str | None = None
    #: With the entries of nested fields, which Elasticsearch counts as documents.
    documents: int | None = None
    #: On disk, copies included.
    bytes: int | None = None
    queries: int | None = None
    query_ms: int | None = None
    indexed: int | None = None
    indexing_ms: int | None = None
    #: Whether any threshold of the slow log is set, of searches and of indexing.
    slow_queries_logged: bool | None = None
    slow_indexing_logged: bool | None = None

    @property
    def mean_query_ms(self) -> float | None:
        """What a query has taken in the mean, on one shard."""
        return _mean(self.queries, self.query_ms)

    @property
    def mean_indexing_ms(self) -> float | None:
        """What the indexing of one document has taken in the mean, on one copy."""
        return _mean(self.indexed, self.indexing_ms)


@dataclass(frozen=True, slots=True)
class Watermark:
    """From where on the disk of a node is too full."""

    #: What may be in use, `85%` or `0.85`; or what must be free, `10gb`.
    setting: str
    #: Where the first: of a large disk no more than so much need be free. `-1`: however large it is.
    max_headroom: str | None = None

    def __str__(self) -> str:
        of_share = self.max_headroom and _bytes(self.max_headroom) and _share(self.setting) is not None
        return f"{self.setting} (at most {self.max_headroom} free)" if of_share else self.setting

    def free_bytes(self, total: int) -> float | None:
        """Return what of a disk must be free; None: the setting is of a kind that is not known."""
        share = _share(self.setting)
        if share is None:
            return _bytes(self.setting)
        headroom = _bytes(self.max_headroom or "")
        free = total * (1 - share)
        return free if headroom is None else min(free, headroom)


@dataclass(frozen=True, slots=True)
class Watermarks:
    """What the cluster does about disks that fill up; None: not told, or nothing."""

    #: No more shards come to the node; then they leave it; then its indices cannot be written.
    low: Watermark | None = None
    high: Watermark | None = None
    flood_stage: Watermark | None = None


@dataclass(frozen=True, slots=True)
class ClusterLook:
    """The whole cluster; None: not told."""

    #: On a monotonic scale, in seconds.
    at: float
    name: str | None = None
    #: green, yellow, red.
    status: str | None = None
    data_nodes: int | None = None
    unassigned_shards: int | None = None
    #: Shards that are copied to another node, or come up.
    moving_shards: int | None = None
    #: Changes of the cluster's state that wait for the master.
    pending_tasks: int | None = None
    nodes: Sequence[NodeLook] = ()
    #: Of the pipelines, by name.
    indices: Sequence[IndexLook] = ()
    watermarks: Watermarks = Watermarks()
    #: What could not be asked for, with the reason.
    unknown: Sequence[str] = ()

    @property
    def shard_counts(self) -> tuple[int, int] | None:
        """The fewest and the most shards of a node; None: not told."""
        counts = [node.shards for node in self.nodes if node.shards is not None]
        return (min(counts), max(counts)) if counts else None


@dataclass(frozen=True, slots=True)
class Recent:
    """What an index did between two looks; None: not known."""

    name: str
    seconds: float
    queries: int | None
    mean_query_ms: float | None
    indexed: int | None
    mean_indexing_ms: float | None


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)b", re.IGNORECASE)


def _share(setting: str) -> float | None:
    try:
        return float(setting.removesuffix("%")) / (100 if setting.endswith("%") else 1)
    except ValueError:
        return None


def _bytes(size: str) -> float | None:
    found = _SIZE.fullmatch(size)
    return float(found[1]) * 1024 ** " kmgtp".index(found[2].lower() or " ") if found else None


def recent(before: ClusterLook, now: ClusterLook) -> Sequence[Recent]:
    """Return what each index did between the looks that both of them have."""
    earlier = {index.name: index for index in before.indices}
    return [_recent(earlier[index.name], index, now.at - before.at) for index in now.indices if index.name in earlier]


def rejected_since(before: ClusterLook, now: ClusterLook) -> dict[str, int]:
    """Return how many tasks each node has refused between the looks, where it has refused some."""
    earlier = {node.name: node.rejected for node in before.nodes}
    grown = {node.name: _grown(earlier.get(node.name), node.rejected) for node in now.nodes}
    return {name: more for name, more in grown.items() if more}


def _recent(before: IndexLook, now: IndexLook, seconds: float) -> Recent:
    queries, indexed = _grown(before.queries, now.queries), _grown(before.indexed, now.indexed)
    return Recent(
        now.name,
        seconds,
        queries,
        _mean(queries, _grown(before.query_ms, now.query_ms)),
        indexed,
        _mean(indexed, _grown(before.indexing_ms, now.indexing_ms)),
    )


def _grown(before: int | None, now: int | None) -> int | None:
    """Return by how much a counter has grown; None: not known, or it began anew with its shard or node."""
    return now - before if before is not None and now is not None and now >= before else None


def _mean(count: int | None, total: int | None) -> float | None:
    return total / count if count and total is not None else None
