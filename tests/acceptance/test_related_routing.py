"""Documents that are routed by a related row's column: one for each row, in the shard that its value leads to."""

from __future__ import annotations

from typing import Any

from tests.acceptance.installation import Installation, eventually
from tests.conftest import Elastic

SCHEMA = """
CREATE TABLE public.author (id int PRIMARY KEY, region text, updated_at timestamptz DEFAULT now());
CREATE TRIGGER touch BEFORE UPDATE ON public.author FOR EACH ROW EXECUTE FUNCTION public.touch();
ALTER TABLE public.item ADD author_id int;
INSERT INTO public.author SELECT i, 'r' || i FROM generate_series(1, 8) i;
INSERT INTO public.item (id, title, author_id) SELECT i, 'x', i %% 8 + 1 FROM generate_series(1, 200) i
"""
#: Each is one transaction.
CHANGES = (
    "UPDATE public.author SET region = 'moved' WHERE id = 1",
    "UPDATE public.item SET author_id = 2 WHERE author_id = 3",
    """
    UPDATE public.item SET author_id = 5 WHERE author_id = 2; UPDATE public.author SET region = 'r8' WHERE id = 5;
    UPDATE public.author SET region = NULL WHERE id = 2
    """,
    "DELETE FROM public.item WHERE author_id = 8",
    "DELETE FROM public.author WHERE id = 7",
)
REGIONS = "SELECT i.id::text, coalesce(a.region, '') FROM public.item i LEFT JOIN public.author a ON a.id = i.author_id"


def test_a_row_has_one_document_whatever_has_moved_it(installation: Installation, real_elastic: Elastic) -> None:
    """And a search that names a region misses none of its rows. (The embedded engine has one place for an id.)"""
    relations: dict[str, Any] = {"author": {"table": "public.author", "on": {"author_id": "id"}}}
    installation.sql(SCHEMA)
    installation.configure(
        relations=relations,
        fields={"title": "text"},
        routing="author.region",
        index={"shards": 4, "replicas": 0},
        poll={"interval": "100ms"},
    )
    installation.succeed("install-triggers", installation.alias)

    def found(**of_search: Any) -> list[tuple[str, str]]:
        if not installation.client.indices.exists_alias(name=installation.alias):
            return []
        installation.client.indices.refresh(index=installation.alias)
        hits = installation.client.search(index=installation.alias, size=1000, **of_search)["hits"]["hits"]
        return sorted((hit["_id"], hit.get("_routing", "")) for hit in hits)

    def in_place() -> bool:
        return found() == sorted(installation.sql(REGIONS))

    with installation.running("run") as daemon:
        eventually(in_place, "every document in its shard")
        for change in CHANGES:
            installation.sql(change)
            eventually(in_place, change, 20)
        assert daemon.terminate() == 0
    for region in ("moved", "r8"):
        rows = [(key, of) for key, of in sorted(installation.sql(REGIONS)) if of == region]
        assert rows
        assert set(rows) <= set(found(routing=region))
    report = installation.json("verify", installation.alias)
    assert (report["complete"], report["duplicate"], report["missing"]) == (True, 0, 0)
