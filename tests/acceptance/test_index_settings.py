"""The settings of an index: which it is created with, and which change in place."""

from __future__ import annotations

from typing import Any

from tests.acceptance.installation import Installation
from tests.conftest import Elastic

#: What Elasticsearch's guide has people tune: for disk, indexing speed, search speed and recovery.
TUNED: dict[str, Any] = {
    "codec": "best_compression",
    "gc_deletes": "2h",
    "mapping.total_fields.limit": "300",
    "max_result_window": "20000",
    "merge.scheduler.max_thread_count": "1",
    "queries.cache.enabled": "false",
    "routing.allocation.total_shards_per_node": "4",
    "search.slowlog.threshold.query.warn": "5s",
    "sort.field": ["id"],
    "store.preload": "nvd",
    "translog.flush_threshold_size": "1gb",
    "unassigned.node_left.delayed_timeout": "5m",
}


def settings_of(installation: Installation) -> tuple[str, dict[str, Any]]:
    """Return the name of the index and its settings, flat."""
    found = installation.client.indices.get_settings(index=installation.alias, flat_settings=True)
    ((name, body),) = found.items()
    return name, {setting.removeprefix("index."): value for setting, value in body["settings"].items()}


def test_what_the_guide_recommends_can_be_set(installation: Installation, real_elastic: Elastic) -> None:
    """All of it reaches the index; `shards`, `replicas` and `refresh_interval` have settings of their own."""
    installation.sql("INSERT INTO public.item (id, title) VALUES (1, 'x')")
    installation.configure(index={"shards": 2, "replicas": 0, "refresh_interval": "5s", "settings": TUNED})
    installation.succeed("run", "--once")
    _, found = settings_of(installation)
    assert {name: found.get(name) for name in TUNED} == TUNED
    assert (found["number_of_shards"], found["number_of_replicas"], found["refresh_interval"]) == ("2", "0", "5s")
    installation.assert_equal()


def test_replicas_and_refresh_interval_change_in_place(installation: Installation) -> None:
    """At the next start, on the same index; by hand they are changed only until then."""
    installation.succeed("run", "--once")
    before, _ = settings_of(installation)
    installation.client.indices.put_settings(index=installation.alias, settings={"refresh_interval": "-1"})
    installation.configure(index={"replicas": 1, "refresh_interval": "7s"})
    installation.succeed("run", "--once")
    name, found = settings_of(installation)
    assert (name, found["number_of_replicas"], found["refresh_interval"]) == (before, "1", "7s")
