"""What the watch of a daemon sees, as metrics."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from syncer.app.metrics.watched import WatchCollector
from syncer.core.alert import Alert, Severity
from syncer.core.cluster import ClusterLook, IndexLook, NodeLook


def exported(look: ClusterLook | None, *alerts: Alert) -> Mapping[tuple[str, ...], float]:
    """Return the values by name and labels."""
    registry = CollectorRegistry()
    registry.register(WatchCollector(lambda: look, lambda: alerts))
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_the_cluster_is_told_in_base_units() -> None:
    """Shares and seconds, where Elasticsearch tells percents and milliseconds."""
    node = NodeLook("n1", heap_percent=50, disk_percent=86.5, shards=4, search_queue=2, write_rejected=7)
    index = IndexLook("articles", "articles-1", queries=100, query_ms=2500, indexed=10, indexing_ms=30)
    found = exported(ClusterLook(1.0, status="yellow", unassigned_shards=3, nodes=[node], indices=[index]))
    assert found["syncer_cluster_status", "yellow"] == 1
    assert found["syncer_cluster_status", "green"] == 0
    assert found["syncer_cluster_unassigned_shards",] == 3
    assert found["syncer_node_heap_used_ratio", "n1"] == 0.5
    assert found["syncer_node_disk_used_ratio", "n1"] == 0.865
    assert found["syncer_node_queue_tasks", "n1", "search"] == 2
    assert found["syncer_node_rejected_total", "n1", "write"] == 7
    assert found["syncer_index_query_seconds_total", "articles-1", "articles"] == 2.5
    # What is not told is left out.
    assert ("syncer_cluster_pending_tasks",) not in found
    assert ("syncer_node_rejected_total", "n1", "search") not in found


def test_what_people_were_told_of_is_told_while_it_lasts() -> None:
    """By its name, with the pipeline or the node that it is about."""
    lag = Alert("pipeline_lag", Severity.WARNING, "far behind", "look", {"pipeline": "articles"})
    found = exported(None, lag)
    assert found == {("syncer_alert_firing", "pipeline_lag", "", "articles", "", "warning"): 1}
    assert exported(None) == {}
