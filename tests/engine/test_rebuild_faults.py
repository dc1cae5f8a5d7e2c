"""A fault at the port calls of who rebuilds, promotes, rolls back or adds fields, one at a time, amid writers.

After every change: searches find exactly one index, which has the settings for searches and every row that was there
from the beginning; and no checkpoint claims what is not settled. In the end the index of the new configuration is live
and equal to the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

import pytest

from tests.engine.rebuild_scenario import Act, Heir, RebuildScenario
from tests.engine.scenario import BULK_FAULTS, Fault, applies

FAULTS = (Fault.RAISES, Fault.RAISES_AFTER, Fault.KILLS, Fault.KILLS_AFTER, *BULK_FAULTS)
#: Of the calls of one name that change something, so many of the first and of the last, and of the others one: those
#: between are of polls like the others.
ENDS = 2
#: What changes nothing: only its failure matters, for a kill there is one after the change before it.
READS = {
    "digests.keys", "digests.rows", "documents.hydrate", "feed.read", "hits.count", "hits.find", "indices.health",
    "indices.identity", "indices.is_running", "indices.prove_alias", "indices.statistics", "indices.targets",
    "keys.divide", "keys.read", "lease.checkpoints", "lease.prove", "progress.ranges", "source.identity",
    "source.observe", "store.asking", "store.claimed", "store.dead_letters", "store.index", "store.indices",
    "store.least_checkpoint", "store.named", "store.passing_letters", "store.paused",
}  # fmt: skip
#: Every other method of a port that they call.
CHANGES = {
    "indices.build_graphs", "indices.create", "indices.delete", "indices.expect", "indices.extend",
    "indices.part", "indices.publish", "indices.restore", "lease.commit",
    "lease.draw", "lease.release", "lease.succeed", "lease.update", "lifecycle.apply", "lifecycle.release",
    "progress.advance", "progress.finish", "progress.plan", "progress.release", "sink.write", "store.acquire",
    "store.backfill", "store.claim", "store.draw", "store.forget", "store.record", "store.register",
    "tombstones.prune",
}  # fmt: skip


@cache
def calls(act: Act) -> Sequence[str]:
    scenario = RebuildScenario(act)
    assert scenario.run() == []
    return scenario.calls


def points(act: Act, fault: Fault) -> Iterator[int]:
    """Yield the calls that meet a fault."""
    total, seen = Counter(calls(act)), Counter[str]()
    for at, name in enumerate(calls(act)):
        seen[name] += 1
        ends = ENDS if name in CHANGES else 1
        at_an_end = seen[name] <= ends or total[name] - seen[name] < ends
        if at_an_end and applies(fault, name) and (name in CHANGES or fault is Fault.RAISES):
            yield at


def test_together_they_call_every_method_that_a_change_of_index_needs() -> None:
    """And each has many points where something can go wrong."""
    assert set().union(*(calls(act) for act in Act)) == READS | CHANGES
    assert all(len(calls(act)) > 50 for act in Act if act is not Act.RETIRE)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("act", Act)
def test_a_fault_at_any_call_ends_with_the_new_index_live_and_equal(act: Act, fault: Fault) -> None:
    """Whoever did it does it again."""
    wrong = [f"{at} {calls(act)[at]}: {w}" for at in points(act, fault) if (w := RebuildScenario(act, fault, at).run())]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("heir", Heir)
@pytest.mark.parametrize("act", [act for act in Act if act not in (Act.DAEMON, Act.RETIRE)])
def test_where_the_process_is_killed_for_good_somebody_else_goes_on(act: Act, heir: Heir) -> None:
    """The index from before is followed and searched until the other one is chosen; and from then on that one is."""
    wrong = [
        f"{at} {calls(act)[at]}: {found}"
        for at in points(act, Fault.KILLS_AFTER)
        if (found := RebuildScenario(act, Fault.KILLS_AFTER, at, heir).run())
    ]
    assert not wrong, "\n".join(wrong)
