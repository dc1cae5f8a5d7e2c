"""Indices that age, from the configuration to the server."""

from __future__ import annotations

from tests.app.deployment import Deployment
from tests.services.ilm import UNPRIVILEGED, IlmServer


def index_of(deployment: Deployment) -> str:
    _, status = deployment.json("status")
    name: str = status["pipelines"][0]["index"]
    return name


def test_the_policy_comes_and_goes_with_the_configuration(deployment: Deployment, ilm: IlmServer) -> None:
    """On an index that is there: neither takes a rebuild."""
    deployment.configure(elasticsearch={"hosts": ilm.url})
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    index = index_of(deployment)
    assert ilm.attached(index) is None
    deployment.configure(elasticsearch={"hosts": ilm.url}, lifecycle={"warm": {"min_age": "36h"}})
    assert deployment.run("run", "--once")[0] == 0
    policy = f"syncer-{deployment.prefix}-articles"
    assert (index_of(deployment), ilm.attached(index)) == (index, policy)
    assert ilm.policies[policy]["phases"]["warm"]["min_age"] == "36h"
    deployment.configure(elasticsearch={"hosts": ilm.url})
    assert deployment.run("run", "--once")[0] == 0
    assert ilm.attached(index) is None


def test_rows_are_followed_where_ilm_is_refused(deployment: Deployment, ilm: IlmServer) -> None:
    """It is logged, with the remedy."""
    ilm.refusals["PUT /_ilm/policy"] = UNPRIVILEGED
    deployment.configure(elasticsearch={"hosts": ilm.url}, lifecycle={})
    deployment.sql("INSERT INTO articles (id, title) VALUES (1, 'a')")
    assert deployment.run("migrate")[0] == 0
    code, _, err = deployment.run("run", "--once")
    assert code == 0
    assert "manage_ilm" in err
    assert deployment.elastic.client.count(index=f"{deployment.prefix}-articles")["count"] == 1
