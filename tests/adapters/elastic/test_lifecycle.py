"""What becomes of indices as they age: by the documented calls of ILM, and where there is no ILM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import ApiError, Elasticsearch

from syncer.adapters.elastic.lifecycle import AgedPhase, ElasticLifecycle, LifecyclePhases
from syncer.core.error import IndexMissing, LifecycleRefused
from syncer.core.index import IndexRecord, Phase
from tests.conftest import Elastic
from tests.services.ilm import DAY_MS, LICENCE, SERVERLESS, UNPRIVILEGED, Answer, IlmServer, error, no_handler

DAY = 86_400.0
PHASES = LifecyclePhases(
    100, AgedPhase(30 * DAY, 50, {"data": "warm"}), AgedPhase(90 * DAY, 0, {"data": "cold"}), 30 * DAY
)
YEAR_MS = 365 * DAY_MS


@pytest.fixture(name="client")
def _client(ilm: IlmServer) -> Iterator[Elasticsearch]:
    with Elasticsearch(ilm.url) as client:
        yield client


@pytest.fixture(name="record")
def _record(elastic: Elastic, index_prefix: str) -> IndexRecord:
    """Of an index that is followed."""
    elastic.client.indices.create(index=f"{index_prefix}-1", settings={"number_of_replicas": 0})
    return IndexRecord(f"{index_prefix}-1", "articles", index_prefix, Phase.LIVE, 1, {})


def kept(record: IndexRecord, since: datetime) -> IndexRecord:
    return replace(record, followed=False, phase=Phase.KEPT, kept_since=since)


def created_ms(elastic: Elastic, index: str) -> int:
    found = elastic.client.indices.get_settings(index=index)[index]["settings"]["index"]
    return int(found["creation_date"])


def test_the_index_that_is_followed_ages_and_is_never_deleted(
    elastic: Elastic, ilm: IlmServer, client: Elasticsearch, record: IndexRecord
) -> None:
    """Its age counts from its creation; nothing in its policy ends writing."""
    ElasticLifecycle(client, PHASES).apply(record)
    created = created_ms(elastic, record.name)
    at = [ilm.phase(record.name, created + days * DAY_MS) for days in (0, 29, 30, 89, 90, 10_000)]
    assert at == ["hot", "hot", "warm", "warm", "cold", "cold"]
    phases = ilm.policies[f"syncer-{record.alias}"]["phases"]
    actions = {action for phase in phases.values() for action in phase["actions"]}
    assert actions == {"set_priority", "allocate", "migrate"}
    assert phases["warm"]["actions"]["allocate"] == {"require": {"data": "warm"}}


def test_without_nodes_ilm_moves_an_index_to_its_data_tier(
    ilm: IlmServer, client: Elasticsearch, record: IndexRecord
) -> None:
    """Which it does by itself, unless it is told not to; with nodes both would have to hold."""
    ElasticLifecycle(client, replace(PHASES, warm=AgedPhase(DAY, 50))).apply(record)
    phases = ilm.policies[f"syncer-{record.alias}"]["phases"]
    assert phases["warm"]["actions"] == {"set_priority": {"priority": 50}}
    assert phases["cold"]["actions"]["migrate"] == {"enabled": False}


def test_a_kept_index_is_deleted_by_the_time_that_it_is_kept(
    elastic: Elastic, ilm: IlmServer, client: Elasticsearch, record: IndexRecord
) -> None:
    """However old it was by then."""
    lifecycle = ElasticLifecycle(client, PHASES)
    lifecycle.apply(record)
    since_ms = created_ms(elastic, record.name) + YEAR_MS
    lifecycle.apply(kept(record, datetime.fromtimestamp(since_ms / 1000, UTC)))
    assert ilm.removed == [record.name], "it would end the phase of its old policy first"
    assert ilm.attached(record.name) == f"syncer-{record.alias}-kept"
    assert [ilm.phase(record.name, since_ms + days * DAY_MS) for days in (0, 29, 30)] == ["new", "new", "delete"]


def test_an_index_that_is_rolled_back_to_counts_from_its_creation_again(
    elastic: Elastic, ilm: IlmServer, client: Elasticsearch, record: IndexRecord
) -> None:
    """Released before, it is deleted at no moment of the swap; followed, it has the policy of one that is."""
    lifecycle = ElasticLifecycle(client, PHASES)
    created = created_ms(elastic, record.name)
    waiting = kept(record, datetime.fromtimestamp(created / 1000, UTC) + timedelta(days=1))
    lifecycle.apply(waiting)
    assert ilm.phase(record.name, created + YEAR_MS) == "delete"
    for _ in range(2):
        lifecycle.release(waiting)
        assert ilm.settings[record.name] == {}
    lifecycle.apply(record)
    assert ilm.settings[record.name] == {"name": f"syncer-{record.alias}"}
    assert ilm.phase(record.name, created + 40 * DAY_MS) == "warm"


def test_an_index_that_is_built_does_not_age(ilm: IlmServer, client: Elasticsearch, record: IndexRecord) -> None:
    """It is nobody's index yet."""
    ElasticLifecycle(client, PHASES).apply(replace(record, followed=False, phase=Phase.LOADING))
    assert ilm.settings == {}
    assert ilm.policies == {}


def test_what_is_there_is_not_put_again(ilm: IlmServer, client: Elasticsearch, record: IndexRecord) -> None:
    """Every put makes a new version; what the server adds by itself is no difference."""
    since = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(3):
        ElasticLifecycle(client, PHASES).apply(record)
    assert ilm.versions == {f"syncer-{record.alias}": 1}
    for _ in range(3):
        ElasticLifecycle(client, PHASES).apply(kept(record, since))
    assert ilm.versions == {f"syncer-{record.alias}": 1, f"syncer-{record.alias}-kept": 1}
    assert ilm.removed == [record.name]


@pytest.mark.parametrize(
    "changed",
    [
        {"hot": {"actions": {"set_priority": {"priority": 1}}}},
        {"warm": {"min_age": "1h", "actions": {"set_priority": {"priority": 50}}}},
        {"cold": {"min_age": "90d", "actions": {"set_priority": {"priority": 0}, "readonly": {}}}},
        {"delete": {"min_age": "1d", "actions": {"delete": {}}}},
    ],
)
def test_a_policy_that_was_changed_is_put_again(
    changed: dict[str, Any], ilm: IlmServer, client: Elasticsearch, record: IndexRecord
) -> None:
    """By a new configuration or by hand: a phase or action that is too much would harm the index."""
    lifecycle = ElasticLifecycle(client, PHASES)
    lifecycle.apply(record)
    name = f"syncer-{record.alias}"
    phases = ilm.policies[name]["phases"]
    client.ilm.put_lifecycle(name=name, policy={"phases": {**phases, **changed}})
    lifecycle.apply(record)
    assert ilm.versions[name] == 3
    assert ilm.policies[name]["phases"] == phases


def test_without_the_section_the_policy_is_taken_away(
    ilm: IlmServer, client: Elasticsearch, record: IndexRecord
) -> None:
    """From an index that has one of syncer's."""
    ElasticLifecycle(client, PHASES).apply(kept(record, datetime(2026, 1, 1, tzinfo=UTC)))
    ElasticLifecycle(client, None).apply(record)
    assert ilm.settings[record.name] == {}
    assert ilm.removed == [record.name]


def test_the_policy_of_somebody_else_is_told_and_left_alone(
    ilm: IlmServer, client: Elasticsearch, record: IndexRecord
) -> None:
    """As an index template may have given it: it may delete the index, or replace it."""
    client.indices.put_settings(index=record.name, settings={"lifecycle.name": "logs"})
    for phases in (PHASES, None):
        with pytest.raises(LifecycleRefused, match="'logs', which is not syncer's") as refused:
            ElasticLifecycle(client, phases).apply(record)
        assert f"POST /{record.name}/_ilm/remove" in refused.value.hint
    assert ilm.attached(record.name) == "logs"
    assert ilm.policies == {}


@pytest.mark.parametrize(
    ("pattern", "refusal", "said", "remedy"),
    [
        (".* /_ilm/", no_handler("/_ilm/policy/x"), "has no index lifecycle management", "leave `lifecycle` out"),
        (".* /_ilm/", SERVERLESS, "has no index lifecycle management", "leave `lifecycle` out"),
        (".* /_ilm/", LICENCE, "licence does not allow ILM", "start_basic"),
        ("PUT /_ilm/", UNPRIVILEGED, r"cluster:admin/ilm/put\] is unauthorized", "manage_ilm"),
        (
            "PUT .*/_settings",
            error(400, "illegal_argument_exception", "unknown setting [index.lifecycle.name]"),
            "unknown setting",
            "check `lifecycle`",
        ),
    ],
)
def test_what_the_server_refuses_is_told_with_the_remedy(
    pattern: str,
    refusal: Answer,
    said: str,
    remedy: str,
    ilm: IlmServer,
    client: Elasticsearch,
    record: IndexRecord,
) -> None:
    """Whether it has no ILM, no licence for it, or this user no privilege; the index stays as it was."""
    ilm.refusals[pattern] = refusal
    with pytest.raises(LifecycleRefused, match=said) as refused:
        ElasticLifecycle(client, PHASES).apply(record)
    assert remedy in refused.value.hint
    assert ilm.attached(record.name) is None


def test_an_index_that_ilm_holds_on_to_is_not_released(
    ilm: IlmServer, client: Elasticsearch, record: IndexRecord
) -> None:
    """Whoever rolls back to it must not go on: it might be deleted for its age."""
    waiting = kept(record, datetime(2026, 1, 1, tzinfo=UTC))
    ElasticLifecycle(client, PHASES).apply(waiting)
    ilm.refusals[".*/_ilm/remove"] = (200, {"has_failures": True, "failed_indexes": [record.name]})
    with pytest.raises(LifecycleRefused, match="does not let go"):
        ElasticLifecycle(client, PHASES).release(waiting)


def test_a_missing_index_is_told_as_such(client: Elasticsearch, index_prefix: str) -> None:
    """Not as a refusal."""
    record = IndexRecord(f"{index_prefix}-9", "articles", index_prefix, Phase.LIVE, 1, {})
    with pytest.raises(IndexMissing):
        ElasticLifecycle(client, PHASES).apply(record)


def test_a_rehearsal_leaves_nothing_behind(ilm: IlmServer, client: Elasticsearch, record: IndexRecord) -> None:
    """Whether it succeeds or not; what went wrong first is told."""
    lifecycle = ElasticLifecycle(client, PHASES)
    lifecycle.rehearse(record.name)
    assert len(ilm.versions) == 2
    assert ilm.settings[record.name] == {}
    ilm.refusals["GET /_ilm/status"] = UNPRIVILEGED
    with pytest.raises(LifecycleRefused, match="unauthorized"):
        lifecycle.rehearse(record.name)
    assert ilm.settings[record.name] == {}
    assert ilm.policies == {}


def test_a_server_that_does_nothing_of_it_is_told(ilm: IlmServer, client: Elasticsearch, record: IndexRecord) -> None:
    """ILM may be stopped; the policies are taken all the same."""
    ilm.mode = "STOPPED"
    with pytest.raises(LifecycleRefused, match="stopped") as refused:
        ElasticLifecycle(client, PHASES).rehearse(record.name)
    assert "POST /_ilm/start" in refused.value.hint
    assert ilm.policies == {}


def test_a_build_without_ilm_says_so(elastic: Elastic, record: IndexRecord) -> None:
    """The engine's own answer; without the section nobody asks it."""
    with suppress(ApiError):
        elastic.client.ilm.get_status()
        pytest.skip("this server has ILM")
    with pytest.raises(LifecycleRefused, match="has no index lifecycle management"):
        ElasticLifecycle(elastic.client, PHASES).apply(record)
    ElasticLifecycle(elastic.client, None).apply(record)
    ElasticLifecycle(elastic.client, PHASES).release(record)
