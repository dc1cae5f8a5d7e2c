"""Documents that are routed by a column: one for each row, in the shard that its value leads to."""

from __future__ import annotations

import pytest

from tests.acceptance.installation import Installation
from tests.conftest import Elastic

ROWS = "INSERT INTO public.item (id, title, tenant) SELECT i, 'x', 't' || i %% 7 FROM generate_series(1, 200) i"
LIVE = "SELECT * FROM public.item WHERE deleted_at IS NULL"


@pytest.fixture(autouse=True)
def _routed(installation: Installation, real_elastic: Elastic) -> None:
    """The embedded engine has one shard, whatever it is told."""
    installation.sql("ALTER TABLE public.item ADD COLUMN tenant text")
    installation.configure(
        routing="tenant", soft_delete="deleted_at", index={"shards": 3, "replicas": 0}, poll={"interval": "100ms"}
    )
    installation.sql(ROWS)


def routings(installation: Installation) -> dict[str, list[str]]:
    """Return the routings of all documents by id, as the index has them; empty: none."""
    installation.client.indices.refresh(index=installation.alias)
    found = installation.client.search(index=installation.alias, size=10_000)["hits"]["hits"]
    assert len(found) < 10_000
    by_id: dict[str, list[str]] = {}
    for hit in found:
        by_id.setdefault(hit["_id"], []).append(hit.get("_routing", ""))
    return by_id


def tenants(installation: Installation) -> dict[str, list[str]]:
    rows = installation.sql("SELECT id::text, coalesce(tenant, '') FROM public.item WHERE deleted_at IS NULL")
    return {key: [tenant] for key, tenant in rows}


def test_a_row_that_changes_its_routing_has_one_document(installation: Installation) -> None:
    """With triggers, whatever else befalls it: each statement below is one poll's, and then all are one poll's."""
    changes = [
        "UPDATE public.item SET tenant = 't' || (id + 1) %% 7 WHERE id <= 50",
        "UPDATE public.item SET tenant = NULL WHERE id <= 10",
        "UPDATE public.item SET tenant = 'back' WHERE id <= 10",
        "UPDATE public.item SET tenant = 'other', deleted_at = now() WHERE id BETWEEN 11 AND 20",
        "UPDATE public.item SET deleted_at = NULL WHERE id BETWEEN 11 AND 15",
        "UPDATE public.item SET id = id + 1000, tenant = 'moved' WHERE id BETWEEN 51 AND 60",
        "DELETE FROM public.item WHERE id BETWEEN 61 AND 70",
        "INSERT INTO public.item (id, title, tenant) SELECT i, 'again', 'again' FROM generate_series(61, 65) i",
    ]
    installation.succeed("install-triggers", installation.alias)
    installation.succeed("run", "--once")
    assert routings(installation) == tenants(installation)
    for change in changes:
        installation.sql(change)
        installation.succeed("run", "--once")
        assert routings(installation) == tenants(installation), change
    installation.assert_equal(LIVE)
    installation.sql("DELETE FROM public.item")
    installation.sql(ROWS)
    for change in changes:
        installation.sql(change)
    installation.succeed("run", "--once")
    assert routings(installation) == tenants(installation)
    installation.assert_equal(LIVE)


def test_a_search_that_names_a_tenant_reads_one_shard_and_misses_none_of_its_rows(installation: Installation) -> None:
    """That is what the column is for."""
    installation.succeed("install-triggers", installation.alias)
    installation.succeed("run", "--once")
    installation.sql("UPDATE public.item SET tenant = 't1' WHERE tenant = 't2'")
    installation.succeed("run", "--once")
    installation.client.indices.refresh(index=installation.alias)
    for tenant, rows in installation.sql("SELECT tenant, array_agg(id::text) FROM public.item GROUP BY tenant"):
        of_tenant = {"match_phrase": {"tenant": tenant}}
        found = installation.client.search(index=installation.alias, routing=tenant, query=of_tenant, size=1000)
        assert found["_shards"]["total"] == 1
        assert {hit["_id"] for hit in found["hits"]["hits"]} == set(rows)


def test_without_triggers_verify_finds_the_documents_left_behind(installation: Installation) -> None:
    """And mends them: of two documents of one key, the one in the wrong place goes."""
    installation.succeed("run", "--once")
    installation.sql("UPDATE public.item SET tenant = 'elsewhere' WHERE id <= 50")
    installation.succeed("run", "--once")
    left = {key for key, found in routings(installation).items() if len(found) > 1}
    assert left, "no row changed its shard"
    report = installation.json("verify", installation.alias, exit_code=1)
    assert report["duplicate"] == len(left)
    installation.succeed("verify", installation.alias, "--repair", "--force")
    assert routings(installation) == tenants(installation)
    assert installation.json("verify", installation.alias)["duplicate"] == 0
