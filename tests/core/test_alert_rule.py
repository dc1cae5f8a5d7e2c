"""Which situations people are told of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncer.core.alert import Judgement
from syncer.core.alert_rule import (
    OF_CLUSTER,
    PipelineLook,
    QueryLook,
    Thresholds,
    judge_cluster,
    judge_pipeline,
    judge_queries,
)
from syncer.core.cluster import ClusterLook, NodeLook
from syncer.core.problem import Problem, ProblemKind

NODE = NodeLook("a", heap_percent=40, disk_percent=60, search_rejected=5, write_rejected=0)
HEALTHY = ClusterLook(15.0, "c", "green", 1, 0, 0, 0, [NODE])
BEFORE = replace(HEALTHY, at=0.0)
FOLLOWED = PipelineLook("items", "following", 1.0, 0, 0.0)
AWAY = Problem(ProblemKind.SOURCE, "the source cannot be looked at: no password")
PUT_OFF = Problem(ProblemKind.PUT_OFF, "2 are put off: full: of 'a customer'", "2 are put off: full")
OFF = Thresholds(False, None, None, None, False, None, None, None, None, False, False)


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (HEALTHY, []),
        (replace(HEALTHY, status="yellow"), [("SyncerClusterYellow", 900)]),
        (replace(HEALTHY, status="red"), [("SyncerClusterRed", 20), ("SyncerClusterYellow", 900)]),
        (replace(HEALTHY, nodes=[replace(NODE, disk_percent=85.0)]), []),
        (replace(HEALTHY, nodes=[replace(NODE, disk_percent=85.1)]), [("SyncerDisk", 0)]),
        (replace(HEALTHY, nodes=[replace(NODE, heap_percent=91)]), [("SyncerHeap", 900)]),
        (replace(HEALTHY, nodes=[replace(NODE, write_rejected=1)]), [("SyncerRejections", 0)]),
        # It was started again, and counts anew.
        (replace(HEALTHY, nodes=[replace(NODE, search_rejected=0)]), []),
        (replace(HEALTHY, nodes=[replace(NODE, name="new", search_rejected=7)]), []),
    ],
)
def test_of_a_cluster(look: ClusterLook, told: list[tuple[str, float]]) -> None:
    """With how long it must hold."""
    found = judge_cluster(look, BEFORE, Thresholds()).conditions
    assert [(each.alert.name, each.seconds) for each in found] == told
    assert all(each.alert.message and each.alert.remedy for each in found)
    assert judge_cluster(look, BEFORE, OFF).conditions == []


def test_what_is_not_known_of_a_cluster_is_not_judged() -> None:
    """The server is away, tells less, or was not looked at before."""
    assert judge_cluster(None, BEFORE, Thresholds()).unjudged == OF_CLUSTER
    assert judge_cluster(HEALTHY, BEFORE, Thresholds()).unjudged == frozenset()
    assert judge_cluster(HEALTHY, None, Thresholds()).unjudged == {"SyncerRejections"}
    assert judge_cluster(ClusterLook(1.0), BEFORE, Thresholds()).unjudged == OF_CLUSTER
    assert judge_cluster(ClusterLook(1.0), BEFORE, Thresholds()).conditions == []


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({}, []),
        ({"state": "stopped"}, [("SyncerStopped", 60)]),
        ({"state": "new", "lag_seconds": None, "dead_letters": None}, []),
        ({"lag_seconds": 300.0}, []),
        ({"lag_seconds": 301.0}, [("SyncerLagging", 0)]),
        ({"lag_seconds": 301.0, "state": "paused"}, []),
        ({"dead_letters": 2}, [("SyncerDeadLetters", 0)]),
        ({"differences": 3.0}, [("SyncerDifferences", 0)]),
        ({"problems": [AWAY]}, [("SyncerTrouble", 30)]),
        ({"problems": [AWAY, PUT_OFF, PUT_OFF]}, [("SyncerTrouble", 30), ("SyncerTrouble", 30)]),
    ],
)
def test_of_a_pipeline(known: dict[str, Any], told: list[tuple[str, float]]) -> None:
    """With how long it must hold, and the pipeline as a label."""
    look = replace(FOLLOWED, **known)
    found = judge_pipeline(look, Thresholds()).conditions
    assert [(each.alert.name, each.seconds) for each in found] == told
    assert all(each.alert.labels["pipeline"] == "items" for each in found)
    assert len({each.alert.key for each in found}) == len(found)
    assert judge_pipeline(look, OFF).conditions == []


def test_what_is_not_known_of_a_pipeline_is_not_judged() -> None:
    """It was never compared, or its state is not known."""
    unknown = replace(FOLLOWED, dead_letters=None, differences=None)
    assert judge_pipeline(unknown, Thresholds()).unjudged == {"SyncerDeadLetters", "SyncerDifferences"}


def test_an_alert_tells_nobody_what_a_row_holds() -> None:
    """A server that puts a document off may quote it, and alerts go to other machines."""
    (found,) = judge_pipeline(replace(FOLLOWED, problems=[PUT_OFF]), Thresholds()).conditions
    assert found.alert.message == "pipeline items: 2 are put off: full"
    assert found.alert.labels == {"pipeline": "items", "problem": "put_off"}


@pytest.mark.parametrize(("p99", "told"), [(None, 0), (1.0, 0), (1.01, 1)])
def test_of_queries(p99: float | None, told: int) -> None:
    """With those that they are judged by."""
    judged = judge_queries(QueryLook((("pipeline", "items"),), p99, 200, 10.0), Thresholds())
    assert len(judged.conditions) == told
    assert judged.unjudged == frozenset()


def test_too_few_queries_are_slow_no_more_but_after_a_start() -> None:
    """What was told by the process before is not taken back before there is something to judge by."""
    few = QueryLook((), None, 3, 10.0, whole=False)
    assert judge_queries(few, Thresholds()) == Judgement([], frozenset({"SyncerSlowQueries"}))
    assert judge_queries(replace(few, whole=True), Thresholds()) == Judgement([])
    # Switched off while it fires.
    assert judge_queries(few, OFF) == Judgement([])
