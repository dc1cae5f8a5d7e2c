"""`syncer cluster` on real servers."""

from __future__ import annotations

import json

import pytest

from syncer.app.cluster_advice import SLOW_LOG, advice
from syncer.core.cluster import ClusterLook, NodeLook, Watermark, Watermarks
from tests.app.deployment import Deployment
from tests.conftest import Elastic


def loaded(deployment: Deployment) -> str:
    """Load a row, and return the name of the index."""
    deployment.sql("INSERT INTO articles VALUES (1, 'One')")
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    return str(deployment.json("indices")[1]["indices"][0]["index"])


def test_it_tells_of_the_cluster_and_of_the_indices_of_pipelines(deployment: Deployment) -> None:
    """Of the embedded engine too, which has no watermarks."""
    index = loaded(deployment)
    deployment.elastic.client.indices.create(index=f"{deployment.prefix}-articles-archive")
    code, found = deployment.json("cluster", "--interval", "0")
    assert code == 0
    assert found["status"] in {"green", "yellow", "red"}
    assert found["nodes"]
    assert found["nodes"][0]["disk_percent"] is not None
    assert found["unknown"] == []
    (one,) = found["indices"]
    assert (one["pipeline"], one["name"], one["documents"]) == ("articles", index, 1)
    assert one["recent"]["queries"] == 0
    code, out, _ = deployment.run("cluster", "--interval", "0")
    assert code == 0
    assert index in out


def test_the_request_that_is_advised_has_slow_searches_logged(deployment: Deployment) -> None:
    """As it stands there; then it is not advised any more."""
    loaded(deployment)
    found = deployment.json("cluster", "--interval", "0")[1]
    (slow,) = [each for each in found["advice"] if "logged nowhere" in each["what"]]
    method, path, body = slow["remedy"].split(";")[0].split(" ", 2)
    assert json.loads(body) == SLOW_LOG
    deployment.elastic.client.perform_request(
        method, path, body=json.loads(body), headers={"content-type": "application/json", "accept": "application/json"}
    )
    found = deployment.json("cluster", "--interval", "0")[1]
    assert [each for each in found["advice"] if "logged nowhere" in each["what"]] == []
    assert found["indices"][0]["slow_queries_logged"]


def test_a_red_index_is_named(deployment: Deployment, real_elastic: Elastic) -> None:
    """With the request that tells why."""
    loaded(deployment)
    name = f"{deployment.prefix}-articles-20260101-000000-000"
    nowhere = {"number_of_replicas": 0, "index.routing.allocation.require.colour": "no node has it"}
    real_elastic.client.indices.create(index=name, settings=nowhere, wait_for_active_shards=0)
    found = deployment.json("cluster", "--interval", "0")[1]
    assert found["status"] == "red"
    red = found["advice"][0]
    assert name in red["what"]
    assert "allocation/explain" in red["remedy"]
    assert {each["name"]: each["health"] for each in found["indices"]}[name] == "red"
    assert set(found["watermarks"]) == {"low", "high", "flood_stage"}


GB = 1024**3
LOW, HIGH, FLOOD = "more than the low watermark", "more than the high watermark", "more than the flood stage"


@pytest.mark.parametrize(
    ("used_gb", "total_gb", "marks", "said"),
    [
        (60, 100, ("85%", "90%", "95%"), None),
        (86, 100, ("85%", "90%", "95%"), LOW),
        (92, 100, ("85%", "90%", "95%"), HIGH),
        (74, 100, ("30%", "40%", "50%"), FLOOD),
        (74, 100, ("0.3", "0.8", "0.9"), LOW),
        (60, 100, ("50gb", "20.5GB", "10gb"), LOW),
        (40, 100, ("50gb", "20.5GB", "10gb"), None),
        (92, 100, ("50gb", "20480mb", "1gb"), HIGH),
        (92, 100, ("what is this", "50gb?", "RELATIVE"), "92 % of its disk is in use"),
        (92, 100, (), "92 % of its disk is in use"),
        # Of large disks less need be free.
        (1740, 2000, ("85%/200GB", "90%/150GB", "95%/100GB"), "87 % of its disk is in use"),
        (1810, 2000, ("85%/200GB", "90%/150GB", "95%/100GB"), LOW),
        (9600, 10000, ("85%/200GB", "90%/150GB", "95%/100GB"), "96 % of its disk is in use"),
        (9600, 10000, ("85%/-1", "90%/-1", "95%/-1"), FLOOD),
    ],
)
def test_a_disk_is_judged_by_the_watermarks_of_the_cluster(
    used_gb: int, total_gb: int, marks: tuple[str, ...], said: str | None
) -> None:
    """Beyond the flood stage writes are refused, wherever that is."""
    free = total_gb - used_gb
    node = NodeLook("a", disk_percent=100 * used_gb / total_gb, disk_bytes=total_gb * GB, disk_free_bytes=free * GB)
    watermarks = Watermarks(*(Watermark(*mark.split("/")) for mark in marks))
    found = [each.what for each in advice(ClusterLook(0.0, nodes=[node], watermarks=watermarks), {})]
    assert [said in what for what in found] == [True] if said else found == []
    assert [each for each in (LOW, HIGH, FLOOD) if any(each in what for what in found)] == [
        each for each in (LOW, HIGH, FLOOD) if each == said
    ]
