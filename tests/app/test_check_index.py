"""What `syncer check` says of the nodes that are to hold an index, and of what they do with it as it ages."""

from __future__ import annotations

from typing import Any

import pytest
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings
from syncer.app.check.index import refusals
from tests.adapters.elastic.scripted import ELASTICSEARCH, Answer, Request, scripted
from tests.app.deployment import Deployment
from tests.conftest import Elastic
from tests.services.ilm import LICENCE, UNPRIVILEGED, IlmServer
from tests.services.ilm import Answer as Refusal


@pytest.fixture(name="sound")
def _sound(deployment: Deployment) -> Deployment:
    """Without any trouble."""
    for command in (("migrate",), ("install-triggers", "articles")):
        assert deployment.run(*command)[0] == 0
    return deployment


def trouble(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the findings that ask for something."""
    _, document = deployment.json("check")
    return [finding for finding in document["findings"] if finding["severity"] != "info"]


def index_of(deployment: Deployment, **settings: Any) -> dict[str, Any]:
    return {"alias": f"{deployment.prefix}-articles", "replicas": 0, **settings}


def test_more_replicas_than_nodes_are_told(sound: Deployment, elastic: Elastic) -> None:
    """The index would be yellow for ever."""
    nodes = elastic.client.cluster.health()["number_of_data_nodes"]
    sound.configure(index=index_of(sound, replicas=nodes))
    (finding,) = trouble(sound)
    assert (finding["severity"], finding["setting"]) == ("warning", "pipelines.articles.index.replicas")
    assert f"{nodes + 1} data nodes, and there are fewer" in finding["what"]
    assert "yellow" in finding["consequence"]
    sound.configure(index=index_of(sound, replicas=nodes - 1))
    assert trouble(sound) == []


def test_replicas_that_follow_the_number_of_nodes_are_no_trouble(sound: Deployment, real_elastic: Elastic) -> None:
    """Elasticsearch sets their number itself then."""
    sound.configure(index=index_of(sound, replicas=1, settings={"auto_expand_replicas": "0-1"}))
    assert trouble(sound) == []


def test_shards_that_no_node_takes_are_told(sound: Deployment, real_elastic: Elastic) -> None:
    """Before a first load waits for them."""
    sound.configure(index=index_of(sound, settings={"routing.allocation.require.rack": "nowhere"}))
    (finding,) = trouble(sound)
    assert (finding["severity"], finding["setting"]) == ("error", "pipelines.articles.index")
    assert "no node takes the shards" in finding["what"]
    assert "allocation/explain" in finding["remedy"]


def test_a_server_without_ilm_is_told(sound: Deployment) -> None:
    """As a warning: rows are followed all the same."""
    sound.configure(lifecycle={})
    (finding,) = trouble(sound)
    assert (finding["severity"], finding["setting"]) == ("warning", "pipelines.articles.lifecycle")
    assert "has no index lifecycle management" in finding["what"]
    assert "leave `lifecycle` out" in finding["remedy"]


@pytest.mark.parametrize(("refusal", "remedy"), [(LICENCE, "start_basic"), (UNPRIVILEGED, "manage_ilm")])
def test_ilm_that_is_refused_is_told(refusal: Refusal, remedy: str, sound: Deployment, ilm: IlmServer) -> None:
    """With what the licence or the privilege is that lacks."""
    sound.configure(lifecycle={}, elasticsearch={"hosts": ilm.url})
    ilm.refusals["PUT /_ilm/policy"] = refusal
    (finding,) = trouble(sound)
    assert (finding["severity"], finding["setting"]) == ("warning", "pipelines.articles.lifecycle")
    assert remedy in finding["remedy"]


def test_a_server_with_ilm_is_no_trouble(sound: Deployment, ilm: IlmServer) -> None:
    """And what was tried is taken away again."""
    sound.configure(lifecycle={"warm": {}, "cold": {}}, elasticsearch={"hosts": ilm.url})
    assert trouble(sound) == []
    assert ilm.versions, "nothing was tried"
    assert ilm.policies == {}


def test_an_index_that_somebody_else_lets_age_is_told(sound: Deployment, ilm: IlmServer) -> None:
    """With or without a section of ours: the policy may delete it."""
    sound.configure(elasticsearch={"hosts": ilm.url})
    assert sound.run("run", "--once")[0] == 0
    assert trouble(sound) == []
    _, status = sound.json("status")
    index = status["pipelines"][0]["index"]
    ilm.settings[index] = {"name": "logs"}
    (finding,) = trouble(sound)
    assert "'logs', which is not syncer's" in finding["what"]
    assert f"POST /{index}/_ilm/remove" in finding["remedy"]


def test_an_alias_that_leads_elsewhere_is_an_error(sound: Deployment) -> None:
    """Told once, with the command that fits; so is an index of the alias's name."""
    assert sound.run("run", "--once")[0] == 0
    client, alias = sound.elastic.client, f"{sound.prefix}-articles"
    (index,) = client.indices.get_alias(name=alias).body
    client.indices.create(index=f"{sound.prefix}-other", aliases={alias: {}})
    (finding,) = trouble(sound)
    assert (finding["severity"], finding["setting"]) == ("error", "pipelines.articles.index.alias")
    assert finding["remedy"] == "syncer promote articles --take-over"
    client.indices.delete(index=f"{sound.prefix}-other")
    client.indices.delete_alias(index=index, name=alias)
    (finding,) = trouble(sound)
    assert (finding["severity"], finding["remedy"]) == ("error", "syncer promote articles")
    client.indices.create(index=alias)
    (finding,) = trouble(sound)
    assert f"alias {alias} is an index" in finding["what"]
    assert finding["remedy"] == "syncer promote articles --take-over"


def test_an_index_that_nobody_goes_on_building_is_told(sound: Deployment) -> None:
    """One that waits to be promoted, and fields that are still to be filled, are no trouble."""
    assert sound.run("run", "--once")[0] == 0
    assert sound.run("rebuild", "articles", "--no-swap")[0] == 0
    sound.sql("UPDATE syncer.indices SET filling = true WHERE followed")
    assert trouble(sound) == []
    _, out, _ = sound.run("check")
    assert "waits to be promoted" in " ".join(out.split())
    assert "a backfill has still to fill" in " ".join(out.split())
    sound.sql("UPDATE syncer.indices SET phase = 'loaded' WHERE NOT followed")
    (finding,) = trouble(sound)
    assert (finding["severity"], finding["setting"]) == ("warning", "pipelines.articles.index")
    assert "nobody builds it" in finding["what"]
    assert finding["consequence"] == "tombstones are kept for as long as it is there"
    assert finding["remedy"].endswith("or delete it: syncer rebuild articles --abandon")


def test_a_live_index_that_takes_no_writes_is_told(sound: Deployment, real_elastic: Elastic) -> None:
    """With the setting to blame, and how to take it back."""
    assert sound.run("run", "--once")[0] == 0
    (index,) = real_elastic.client.indices.get_alias(name=f"{sound.prefix}-articles")
    real_elastic.client.indices.put_settings(index=index, settings={"index.blocks.write": True})
    (finding,) = trouble(sound)
    assert finding["what"] == f"Elasticsearch refuses writes to index {index}: index.blocks.write"
    assert f'PUT /{index}/_settings {{"index.blocks.write": null}}' in finding["remedy"]


@pytest.mark.parametrize(("block", "said"), [("read", "refuses searches of index"), ("metadata", "blocked by")])
def test_a_live_index_that_nobody_may_look_into_is_told(
    sound: Deployment, real_elastic: Elastic, block: str, said: str
) -> None:
    """With the setting to blame, as far as the server shows it."""
    assert sound.run("run", "--once")[0] == 0
    (index,) = real_elastic.client.indices.get_alias(name=f"{sound.prefix}-articles")
    real_elastic.client.indices.put_settings(index=index, settings={f"index.blocks.{block}": True})
    found = trouble(sound)
    # Else nobody could delete it.
    real_elastic.client.indices.put_settings(index=index, settings={f"index.blocks.{block}": None})
    assert [each for each in found if said in each["what"] and index in each["what"]] != []
    assert all("_settings" in each["remedy"] for each in found)


def test_a_closed_live_index_is_told(sound: Deployment, real_elastic: Elastic) -> None:
    """By its name, and once."""
    assert sound.run("run", "--once")[0] == 0
    (index,) = real_elastic.client.indices.get_alias(name=f"{sound.prefix}-articles")
    real_elastic.client.indices.close(index=index)
    (finding,) = trouble(sound)
    assert (finding["what"], finding["setting"]) == (f"index {index} is closed", "pipelines.articles.index")
    assert f"POST /{index}/_open" in finding["remedy"]


@pytest.mark.parametrize(
    ("block", "remedy"), [("read_only_allow_delete", "`syncer cluster`"), ("read_only", "somebody has set it")]
)
def test_an_index_that_is_red_or_on_a_full_disk_is_told(block: str, remedy: str) -> None:
    """As the server tells it of an index none of whose shards is there."""

    def answer(request: Request) -> Answer:
        if "_settings" in request.path:
            return Answer(200, {"items": {"settings": {f"index.blocks.{block}": "true"}}}, ELASTICSEARCH)
        return Answer(200, {"indices": {}} if "_stats" in request.path else {"items": {}}, ELASTICSEARCH)

    with scripted(answer) as url:
        server = ElasticIndices(Elasticsearch(url), {}, IndexSettings())
        blocked, red = refusals(server, "items", "pipelines.items.index")
    assert red.what == "index items is red: a primary shard is away"
    assert blocked.what == f"Elasticsearch refuses writes to index items: index.blocks.{block}"
    assert remedy in blocked.remedy
