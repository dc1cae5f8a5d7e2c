"""What has changed between two looks at a cluster."""

from __future__ import annotations

from dataclasses import replace

from syncer.core.cluster import ClusterLook, IndexLook, NodeLook, Recent, recent, rejected_since

INDEX = IndexLook("items", "items-1", queries=10, query_ms=100, indexed=4, indexing_ms=8)


def look(at: float, *indices: IndexLook, nodes: tuple[NodeLook, ...] = ()) -> ClusterLook:
    return ClusterLook(at, indices=indices, nodes=nodes)


def test_averages_are_of_all_and_of_what_is_new() -> None:
    """A query took 10 ms in the mean, and lately 30 ms."""
    assert (INDEX.mean_query_ms, INDEX.mean_indexing_ms) == (10.0, 2.0)
    now = replace(INDEX, queries=15, query_ms=250)
    assert recent(look(1.0, INDEX), look(3.0, now)) == [Recent("items-1", 2.0, 5, 30.0, 0, None)]


def test_what_began_anew_is_not_known() -> None:
    """A shard has moved, or the index is new."""
    now = replace(INDEX, queries=2, query_ms=9)
    assert recent(look(1.0, INDEX), look(2.0, now))[0].queries is None
    assert recent(look(1.0), look(2.0, now)) == []
    assert IndexLook("items", "items-1").mean_query_ms is None


def test_refusals_are_counted_by_node() -> None:
    """Where there are new ones."""
    before = look(1.0, nodes=(NodeLook("a", search_rejected=1, write_rejected=1), NodeLook("b")))
    now = look(2.0, nodes=(NodeLook("a", search_rejected=1, write_rejected=4), NodeLook("b", search_rejected=9)))
    assert rejected_since(before, now) == {"a": 3}
    assert rejected_since(now, now) == {}
