"""How the cluster is, in a handful of requests; what a server does not tell stays unknown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from elastic_transport import ApiError, ObjectApiResponse
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.error import cause, translate, translate_errors
from syncer.adapters.elastic.inventory import OURS
from syncer.core.cluster import ClusterLook, IndexLook, NodeLook, Watermark, Watermarks
from syncer.core.error import CredentialsRefused

_NODE = (
    "nodes.*.name,nodes.*.jvm.mem.heap_used_percent,nodes.*.fs.total,nodes.*.breakers.*.tripped,"
    "nodes.*.thread_pool.search,nodes.*.thread_pool.write,nodes.*.indices.shard_stats"
)
_DISK = "*.cluster.routing.allocation.disk"
#: Asks for something that a server may not know, or refuse: None.
Ask = Callable[[str, Callable[[], ObjectApiResponse[Any]]], Mapping[str, Any] | None]
#: Passing trouble, of which a later look knows more.
_AWAY = frozenset({408, 429, 502, 503, 504})


class ElasticCluster:
    """Looks at a cluster, and at the indices of pipelines in it. Safe for several threads."""

    def __init__(self, client: Elasticsearch, aliases: Mapping[str, str]) -> None:
        """aliases: by pipeline."""
        self._client = client
        self._aliases = aliases
        called = [f"(?P<p{number}>{re.escape(alias)}){OURS}" for number, alias in enumerate(aliases.values())]
        self._called = re.compile("|".join(called) or "(?!)")
        self._pipelines = list(aliases)
        self._patterns = [f"{alias}-*" for alias in aliases.values()]

    def look(self, at: float) -> ClusterLook:
        """Return what it is like; at: the time, on a monotonic scale.

        Raises SinkUnavailable and CredentialsRefused; what else the server refuses is left out of the answer.
        """
        unknown: list[str] = []

        def ask(what: str, request: Callable[[], ObjectApiResponse[Any]]) -> Mapping[str, Any] | None:
            with translate_errors():
                try:
                    body: Mapping[str, Any] = request().body
                    return body
                except ApiError as error:
                    if error.meta.status in _AWAY or isinstance(translate(error), CredentialsRefused):
                        raise
                    unknown.append(f"{what}: {cause(error.body)[1] or f'status {error.meta.status}'}")
                    return None

        client = self._client
        health = ask("the cluster's health", client.cluster.health) or {}
        stats = ask(
            "the nodes",
            lambda: client.nodes.stats(
                metric="fs,jvm,breaker,thread_pool,indices", index_metric="shard_stats", filter_path=_NODE
            ),
        )
        settings = ask(
            "the watermarks of disks",
            lambda: client.cluster.get_settings(include_defaults=True, filter_path=_DISK),
        )
        nodes = _nodes((stats or {}).get("nodes", {}))
        return ClusterLook(
            at,
            health.get("cluster_name"),
            health.get("status"),
            health.get("number_of_data_nodes"),
            health.get("unassigned_shards"),
            _sum(health.get("relocating_shards"), health.get("initializing_shards")),
            health.get("number_of_pending_tasks"),
            nodes,
            self._indices(ask),
            _watermarks(settings or {}),
            unknown,
        )

    def _indices(self, ask: Ask) -> Sequence[IndexLook]:
        client, patterns = self._client, self._patterns
        stats = ask(
            "the statistics of indices",
            lambda: client.indices.stats(index=patterns, metric="docs,store,search,indexing", level="indices"),
        )
        # An index of which no shard runs is not among the statistics.
        health = ask("the health of indices", lambda: client.cluster.health(index=patterns, level="indices"))
        logged = ask(
            "the thresholds of slow logs",
            lambda: client.indices.get_settings(index=patterns, name="index.*.slowlog.*"),
        )
        measured, states = ((each or {}).get("indices", {}) for each in (stats, health))
        return [
            _index(
                pipeline,
                name,
                measured.get(name, {}),
                states.get(name, {}).get("status"),
                None if logged is None else logged.get(name, {}),
            )
            for name in sorted({*measured, *states})
            if (pipeline := self._pipeline(name))
        ]

    def _pipeline(self, index: str) -> str | None:
        """Return whose index it is by its name; None: nobody's here."""
        found = self._called.fullmatch(index)
        if found is None:
            return None
        return next(name for number, name in enumerate(self._pipelines) if found[f"p{number}"])


def _nodes(found: Mapping[str, Mapping[str, Any]]) -> Sequence[NodeLook]:
    names = [node.get("name", number) for number, node in found.items()]
    # Two nodes may have one name.
    called = [
        f"{name} ({number})" if names.count(name) > 1 else name for name, number in zip(names, found, strict=True)
    ]
    looks = [_node(name, node) for name, node in zip(called, found.values(), strict=True)]
    return sorted(looks, key=lambda node: node.name)


def _node(name: str, node: Mapping[str, Any]) -> NodeLook:
    disk, pools = node.get("fs", {}).get("total", {}), node.get("thread_pool", {})
    total, free = disk.get("total_in_bytes"), disk.get("available_in_bytes")
    tripped = [breaker.get("tripped", 0) for breaker in node.get("breakers", {}).values()]
    return NodeLook(
        name,
        node.get("jvm", {}).get("mem", {}).get("heap_used_percent"),
        round(100 * (1 - free / total), 1) if total and free is not None else None,
        total,
        free,
        node.get("indices", {}).get("shard_stats", {}).get("total_count"),
        pools.get("search", {}).get("queue"),
        pools.get("write", {}).get("queue"),
        pools.get("search", {}).get("rejected"),
        pools.get("write", {}).get("rejected"),
        sum(tripped) if tripped else None,
    )


def _index(
    pipeline: str, name: str, stats: Mapping[str, Any], health: str | None, logged: Mapping[str, Any] | None
) -> IndexLook:
    total = stats.get("total", {})
    search, indexing = total.get("search", {}), total.get("indexing", {})
    thresholds = None if logged is None else logged.get("settings", {}).get("index", {})
    return IndexLook(
        pipeline,
        name,
        health or stats.get("health"),
        stats.get("primaries", {}).get("docs", {}).get("count"),
        total.get("store", {}).get("size_in_bytes"),
        search.get("query_total"),
        search.get("query_time_in_millis"),
        indexing.get("index_total"),
        indexing.get("index_time_in_millis"),
        None if thresholds is None else "slowlog" in thresholds.get("search", {}),
        None if thresholds is None else "slowlog" in thresholds.get("indexing", {}),
    )


def _watermarks(settings: Mapping[str, Any]) -> Watermarks:
    """Return none where the cluster does nothing about disks."""
    found: dict[str, str] = {}
    # The later ones go before the earlier ones.
    for kind in ("defaults", "persistent", "transient"):
        place = settings.get(kind, {})
        for part in ("cluster", "routing", "allocation", "disk"):
            place = place.get(part, {})
        found |= {name: str(value) for name, value in place.get("watermark", {}).items()}
        found |= {name: str(place[name]) for name in ("threshold_enabled",) if name in place}

    def mark(name: str) -> Watermark | None:
        return Watermark(found[name], found.get(f"{name}.max_headroom")) if name in found else None

    if found.get("threshold_enabled") == "false":
        return Watermarks()
    return Watermarks(mark("low"), mark("high"), mark("flood_stage"))


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
