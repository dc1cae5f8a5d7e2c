"""A fault at every port call, one at a time: whatever fails and whenever, the index ends equal to the table."""

from __future__ import annotations

import pytest

from tests.engine.scenario import Fault, Scenario, applies

#: Every method of a port that a delivery, a load, a backfill and a resync call.
CALLS = {
    "cache.get", "cache.put", "cache.touch", "documents.hydrate", "embedder.embed", "embedder.split", "feed.read",
    "glance.any_change",
    "indices.build_graphs", "indices.create", "indices.expect", "indices.health", "indices.is_running",
    "indices.part", "indices.identity", "indices.prove_alias", "indices.publish", "indices.restore",
    "indices.targets", "keys.divide", "keys.read", "lease.checkpoints", "lease.commit", "lease.draw", "lease.prove",
    "lease.raise_above", "lease.release", "lease.update", "progress.advance", "progress.finish", "progress.plan",
    "progress.ranges", "progress.release", "sink.held", "sink.write", "source.blockers", "source.identity",
    "source.observe", "store.acquire", "store.ask", "store.asking", "store.backfill", "store.claimed",
    "store.dead_letters", "store.draw",
    "store.index", "store.least_checkpoint", "store.mark_verify_needed", "store.named", "store.passing_letters",
    "store.paused", "store.record", "store.register", "tombstones.prune",
}  # fmt: skip


@pytest.fixture(name="calls", scope="module")
def _calls() -> list[str]:
    scenario = Scenario()
    assert scenario.run() == []
    return scenario.calls


def test_the_scenario_calls_every_method_of_every_port(calls: list[str]) -> None:
    """And has many points where something can go wrong."""
    assert set(calls) == CALLS
    assert len(calls) > 200


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_at_any_call_ends_with_an_equal_index(fault: Fault, calls: list[str]) -> None:
    """No checkpoint claims what is not settled, and the dead letters are those of the rows that cannot be indexed."""
    points = [number for number, name in enumerate(calls) if applies(fault, name)]
    assert len(points) >= (10 if "bulk" in fault else 100)
    wrong = [f"at call {at} ({calls[at]}): {found}" for at in points if (found := Scenario(fault, at).run())]
    assert not wrong, "\n".join(wrong)
