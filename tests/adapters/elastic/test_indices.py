"""Physical indices: what they are made of, where they are, and what proves that one is the one it was."""

from __future__ import annotations

import time
from typing import Any

import pytest

from syncer.core.error import ConfigurationError, FatalError, IndexMissing, SinkUnavailable
from syncer.core.field import Field
from syncer.core.index import Health, Targets, write_alias
from tests.adapters.elastic.examples import KINDS, META, behind, indices_of, versions_of
from tests.conftest import Elastic
from tests.services.search import lose_data


def settings_of(elastic: Elastic, index: str) -> dict[str, Any]:
    found: dict[str, Any] = elastic.client.indices.get(index=index)[index]["settings"]["index"]
    return found


def test_an_index_is_created_for_loading(elastic: Elastic, index_prefix: str) -> None:
    """No refresh, no replica, durable, with its write alias and meta; a second time changes nothing."""
    name = f"{index_prefix}-1"
    indices = indices_of(elastic, replicas=2, shards=2)
    indices.create(name, META)
    uuid = settings_of(elastic, name)["uuid"]
    indices.create(name, META)
    found = settings_of(elastic, name)
    assert found["uuid"] == uuid
    assert (found["refresh_interval"], found["number_of_replicas"], found["number_of_shards"]) == ("-1", "0", "2")
    assert found["translog"]["durability"] == "request"
    assert found["gc_deletes"] == "1h"
    assert behind(elastic, write_alias(name)) == {name}
    assert indices.meta(name) == META


def test_every_kind_of_field_is_accepted(elastic: Elastic, index_prefix: str) -> None:
    """The server takes the mapping of each type that a column can become."""
    indices_of(elastic, KINDS).create(f"{index_prefix}-1", META)
    made = elastic.client.indices.get_mapping(index=f"{index_prefix}-1")[f"{index_prefix}-1"]["mappings"]["properties"]
    assert made.keys() - {"v", "_syncer"} == {field.name for field in KINDS}


def test_another_index_of_that_name_is_in_the_way(elastic: Elastic, index_prefix: str) -> None:
    """Whether it was made for something else or by somebody else."""
    indices = indices_of(elastic)
    indices.create(f"{index_prefix}-1", META)
    with pytest.raises(ConfigurationError, match=f"{index_prefix}-1"):
        indices.create(f"{index_prefix}-1", {**META, "fingerprint": {"mapping": "2"}})
    elastic.client.indices.create(index=f"{index_prefix}-2")
    with pytest.raises(ConfigurationError, match=f"{index_prefix}-2"):
        indices.create(f"{index_prefix}-2", META)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (Field("title", "title", "nonsense"), "nonsense"),
        (Field("title", "title", "text", analyzer="klingon"), "klingon"),
        (Field("title", "title", "date", options={"format": "jjj"}), "jjj"),
    ],
)
def test_a_mapping_that_the_server_refuses_is_the_settings_fault(
    real_elastic: Elastic, index_prefix: str, field: Field, said: str
) -> None:
    """With the server's reason and the place to look; nothing is left behind."""
    with pytest.raises(ConfigurationError, match=said) as refused:
        indices_of(real_elastic, [field]).create(f"{index_prefix}-1", META)
    assert "fields" in refused.value.hint
    assert not real_elastic.client.indices.exists(index=f"{index_prefix}-1")


def test_more_fields_than_an_index_may_have_are_refused(real_elastic: Elastic, index_prefix: str) -> None:
    """Elasticsearch takes 1,000 unless it is told otherwise, and the message says how."""
    fields = [Field(f"c{i}", f"c{i}", "text", keyword=True) for i in range(501)]
    with pytest.raises(ConfigurationError, match="Limit of total fields") as raised:
        indices_of(real_elastic, fields).create(f"{index_prefix}-1", META)
    assert "mapping.total_fields.limit" in raised.value.hint
    indices_of(real_elastic, fields, settings={"mapping.total_fields.limit": 2000}).create(f"{index_prefix}-1", META)


def test_a_closed_index_is_reported(real_elastic: Elastic, index_prefix: str) -> None:
    """With the call that opens it, when it is created again and when it is looked at."""
    indices = indices_of(real_elastic)
    indices.create(f"{index_prefix}-1", META)
    real_elastic.client.indices.close(index=f"{index_prefix}-1")
    with pytest.raises(ConfigurationError, match="closed") as refused:
        indices.create(f"{index_prefix}-1", META)
    assert "_open" in refused.value.hint
    with pytest.raises(FatalError, match="closed"):
        indices.identity(f"{index_prefix}-1")


def test_an_index_stays_the_one_it_is(elastic: Elastic, index_prefix: str) -> None:
    """Two looks see the same identity, one history for each shard; an index made anew has another one."""
    indices = indices_of(elastic, shards=3)
    indices.create(f"{index_prefix}-1", META)
    first = indices.identity(f"{index_prefix}-1")
    assert set(first.histories) == {"0", "1", "2"}
    assert indices.identity(f"{index_prefix}-1") == first
    indices.delete(f"{index_prefix}-1")
    indices.create(f"{index_prefix}-1", META)
    second = indices.identity(f"{index_prefix}-1")
    assert second.uuid != first.uuid
    assert set(second.histories.values()).isdisjoint(first.histories.values())


def test_an_index_survives_closing_as_itself(real_elastic: Elastic, index_prefix: str) -> None:
    """Closing and opening, which restarts every shard, changes neither UUID nor histories."""
    indices = indices_of(real_elastic, shards=2)
    indices.create(f"{index_prefix}-1", META)
    before = indices.identity(f"{index_prefix}-1")
    real_elastic.client.indices.close(index=f"{index_prefix}-1")
    real_elastic.client.indices.open(index=f"{index_prefix}-1")
    assert indices.identity(f"{index_prefix}-1") == before


def test_an_index_whose_shards_are_away_is_not_another_one(real_elastic: Elastic, index_prefix: str) -> None:
    """As after the start of a server: the shards that are there are what they were, and so are all of them then."""
    name = f"{index_prefix}-1"
    indices = indices_of(real_elastic, shards=8)
    indices.create(name, META)
    before = indices.identity(name)

    # Opened anew, shards are away for some hundredths of a second. Nothing keeps one away that its only node has a copy
    # of: no filter of allocation does.
    deadline, seen = time.monotonic() + 30, before
    while seen.away == 0:
        assert seen == before
        assert time.monotonic() < deadline
        real_elastic.client.indices.close(index=name)
        real_elastic.client.indices.open(index=name, wait_for_active_shards=0)
        seen = indices.identity(name)
    assert len(seen.histories) + seen.away == 8
    assert seen.may_be(before)
    real_elastic.client.cluster.health(index=name, wait_for_status="green", timeout="30s")
    assert indices.identity(name) == before


def test_an_index_that_lost_its_data_is_another_one_although_it_keeps_its_uuid(
    real_elastic: Elastic, index_prefix: str
) -> None:
    """† A shard that is allocated empty, like one restored from a snapshot over a closed index, begins a history."""
    name = f"{index_prefix}-1"
    indices = indices_of(real_elastic)
    indices.create(name, META)
    real_elastic.client.index(index=name, id="1", document={"title": "acknowledged"})
    before = indices.identity(name)
    lose_data(real_elastic.client, name)
    after = indices.identity(name)
    assert not real_elastic.client.exists(index=name, id="1")
    assert after.uuid == before.uuid
    assert after != before


def test_a_missing_index_or_write_alias_is_told(elastic: Elastic, index_prefix: str) -> None:
    """Both are needed to write."""
    indices = indices_of(elastic)
    with pytest.raises(IndexMissing, match=f"{index_prefix}-1"):
        indices.identity(f"{index_prefix}-1")
    indices.create(f"{index_prefix}-1", META)
    elastic.client.indices.delete_alias(index=f"{index_prefix}-1", name=write_alias(f"{index_prefix}-1"))
    with pytest.raises(IndexMissing, match="write alias"):
        indices.identity(f"{index_prefix}-1")


def test_an_index_that_may_lose_acknowledged_writes_is_not_accepted(elastic: Elastic, index_prefix: str) -> None:
    """† Durability `async`, set behind our back, stops the pipeline."""
    indices = indices_of(elastic)
    indices.create(f"{index_prefix}-1", META)
    elastic.client.indices.put_settings(index=f"{index_prefix}-1", settings={"translog.durability": "async"})
    with pytest.raises(FatalError, match=r"translog\.durability"):
        indices.identity(f"{index_prefix}-1")


def test_the_settings_for_searches_are_restored(elastic: Elastic, index_prefix: str) -> None:
    """As configured; where they are so already, nothing is sent to the master."""
    name = f"{index_prefix}-1"
    indices = indices_of(elastic, replicas=2, refresh_interval="5s")
    indices.create(name, META)
    indices.restore(name)
    found = settings_of(elastic, name)
    assert (found["refresh_interval"], found["number_of_replicas"]) == ("5s", "2")
    before = versions_of(elastic, name)
    indices.restore(name)
    assert versions_of(elastic, name) == before
    with pytest.raises(IndexMissing):
        indices.restore(f"{index_prefix}-2")


def test_copies_that_find_no_place_are_told(elastic: Elastic, index_prefix: str) -> None:
    """One node holds one copy of a shard; that the others are nowhere is no error, and neither is it ready."""
    name = f"{index_prefix}-1"
    indices = indices_of(elastic, shards=2, replicas=1)
    indices.create(name, META)
    assert indices.health(name) == Health(green=True, yellow=True, moving=0, unassigned=0)
    indices.restore(name)
    nodes = elastic.client.cluster.health()["number_of_data_nodes"]
    if nodes > 1:
        pytest.skip(f"there are {nodes} nodes")
    assert indices.health(name) == Health(green=False, yellow=True, moving=0, unassigned=2, crowded=True)
    with pytest.raises(IndexMissing):
        indices.health(f"{index_prefix}-2")


def test_a_primary_that_is_away_is_told(real_elastic: Elastic, index_prefix: str) -> None:
    """It is neither green nor yellow, nor is it published: what searches find now stays."""
    name, alias = f"{index_prefix}-1", f"{index_prefix}-all"
    real_elastic.client.indices.create(
        index=name,
        settings={"number_of_replicas": 0, "routing.allocation.require._name": "nowhere"},
        mappings={"_meta": {"syncer": META}},
        wait_for_active_shards=0,
    )
    indices = indices_of(real_elastic)
    assert indices.health(name) == Health(green=False, yellow=False, moving=0, unassigned=1)
    with pytest.raises(SinkUnavailable, match=name):
        indices.publish(name, alias)
    assert indices.targets(alias) == Targets({})
    assert indices.statistics([name])[name].health == "red"


def test_entries_of_nested_fields_are_no_documents(elastic: Elastic, index_prefix: str) -> None:
    """The server's own statistics count them."""
    name = f"{index_prefix}-1"
    tags = {"properties": {"name": {"type": "keyword"}}}
    indices = indices_of(elastic, [Field("tags", "tags", "nested", options=tags)])
    indices.create(name, META)
    elastic.client.index(index=name, document={"tags": [{"name": "a"}, {"name": "b"}]}, refresh=True)
    found = indices.statistics([name])[name]
    assert (found.documents, found.health) == (1, "green")
    assert found.bytes > 0


def test_a_closed_index_takes_space(elastic: Elastic, index_prefix: str) -> None:
    """It cannot be counted, and does not keep the others from it."""
    indices = indices_of(elastic)
    for number in (1, 2):
        indices.create(f"{index_prefix}-{number}", META)
        elastic.client.index(index=f"{index_prefix}-{number}", document={"title": "one"}, refresh=True)
    elastic.client.indices.close(index=f"{index_prefix}-1")
    found = indices.statistics([f"{index_prefix}-1", f"{index_prefix}-2"])
    assert [(one.documents, one.health) for one in found.values()] == [(0, "closed"), (1, "green")]
    assert found[f"{index_prefix}-1"].bytes > 0


def test_deleting_twice_is_harmless(elastic: Elastic, index_prefix: str) -> None:
    """What is gone is gone."""
    indices = indices_of(elastic)
    indices.create(f"{index_prefix}-1", META)
    indices.delete(f"{index_prefix}-1")
    indices.delete(f"{index_prefix}-1")
    assert not elastic.client.indices.exists(index=f"{index_prefix}-1")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("c++20", True),
        ("C++20 foo-b", True),
        ("foo_bar", True),
        ("fo ba", True),
        ("oo", False),
        ("quux", False),
        ("internationalisation", True),
        ("internationalist", True),
        ("ünï", True),
        ("f", False),
    ],
)
def test_what_is_typed_is_completed(elastic: Elastic, index_prefix: str, typed: str, found: bool) -> None:
    """Beginnings of words, cut where letters and digits end; a word of 15 letters is as far as grams reach."""
    indices_of(elastic).create(f"{index_prefix}-1", META)
    title = "C++20 foo-bar Internationalisation Ünïcode"
    elastic.client.index(index=f"{index_prefix}-1", id="1", document={"title": title}, refresh=True)
    query = {"match": {"title.autocomplete": {"query": typed, "operator": "and"}}}
    assert elastic.client.count(index=f"{index_prefix}-1", query=query)["count"] == found
