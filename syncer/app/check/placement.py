"""Whether the nodes that are there can hold a pipeline's index."""

from __future__ import annotations

from collections.abc import Iterator

from syncer.app.blueprint import Blueprint
from syncer.app.check.finding import Finding, Severity
from syncer.core.index import Health

_EXPLAIN = "ask Elasticsearch why: GET /_cluster/allocation/explain; often it is a full disk, or an allocation filter"


def check_placement(plan: Blueprint, health: Health) -> Iterator[Finding]:
    """Say which shards find no place; health: of an index with the pipeline's settings, after some seconds."""
    setting = f"pipelines.{plan.name}.index"
    if health.green or health.moving:
        return
    if not health.yellow:
        yield Finding(
            Severity.ERROR,
            setting,
            "no node takes the shards of an index with these settings",
            "a first load and a rebuild wait for one",
            _EXPLAIN,
        )
    elif health.crowded:
        replicas = plan.index.replicas
        yield Finding(
            Severity.WARNING,
            f"{setting}.replicas",
            f"{replicas} beside each shard {'needs' if replicas == 1 else 'need'} {replicas + 1} data nodes, "
            "and there are fewer",
            "the index stays yellow for ever, and replicas that have no place protect from nothing",
            "set fewer replicas, or add nodes",
        )
    else:
        yield Finding(
            Severity.WARNING,
            setting,
            f"replicas that find no place: {health.unassigned}",
            "the index stays yellow",
            _EXPLAIN,
        )
