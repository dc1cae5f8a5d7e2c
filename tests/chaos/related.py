"""Tables that are part of the items' documents: what they are, how writers change them, and what must come of it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

#: To-one, two levels deep; to-many; many-to-many, through a table that nothing stamps.
SCHEMA = """
CREATE TABLE public.region (id bigint PRIMARY KEY, label text NOT NULL, updated_at timestamptz DEFAULT now());
CREATE TABLE public.tenant (
    name text PRIMARY KEY,
    label text NOT NULL,
    region bigint REFERENCES public.region ON DELETE SET NULL,
    updated_at timestamptz DEFAULT now()
);
CREATE TABLE public.remark (
    id bigint PRIMARY KEY, item bigint, body text NOT NULL, likes integer, updated_at timestamptz DEFAULT now()
);
CREATE TABLE public.badge (id bigint PRIMARY KEY, label text NOT NULL, updated_at timestamptz DEFAULT now());
CREATE TABLE public.item_badge (
    item bigint, badge bigint REFERENCES public.badge ON DELETE CASCADE, PRIMARY KEY (item, badge)
);
CREATE INDEX ON public.item (tenant, id);
CREATE INDEX ON public.tenant (region);
CREATE INDEX ON public.remark (item);
CREATE INDEX ON public.item_badge (badge);
CREATE INDEX ON public.region (updated_at, id);
CREATE INDEX ON public.tenant (updated_at, name);
CREATE INDEX ON public.remark (updated_at, id);
CREATE INDEX ON public.badge (updated_at, id);
INSERT INTO public.region SELECT i, 'region ' || i FROM generate_series(0, 2) AS i;
INSERT INTO public.tenant SELECT 'tenant ' || i, 'label ' || i, i % 4 FROM generate_series(0, 3) AS i WHERE i < 3;
INSERT INTO public.badge SELECT i, 'badge ' || i FROM generate_series(0, 7) AS i;
INSERT INTO public.remark SELECT i, i * 7 % 1500, 'remark ' || i, i % 5 FROM generate_series(0, 999) AS i;
INSERT INTO public.item_badge SELECT i, i % 8 FROM generate_series(0, 1499, 2) AS i;
"""
FIELDS: Mapping[str, Any] = {
    "tenancy": {"relation": "tenancy"},
    "region": {"column": "tenancy.region.label", "type": "keyword"},
    "remarks": {"relation": "remarks", "type": "nested"},
    "remark_count": {"relation": "remarks", "aggregate": "count"},
    "badges": {"column": "badges.label", "type": "keyword"},
}
RELATIONS: Mapping[str, Any] = {
    "tenancy": {
        "table": "tenant",
        "on": {"tenant": "name"},
        "columns": ["label", "region"],
        "relations": {"region": {"table": "region", "on": {"region": "id"}, "columns": ["label"]}},
    },
    "remarks": {
        "table": "remark",
        "on": {"id": "item"},
        "columns": ["id", "body"],
        "many": True,
        "order_by": "-likes",
        "limit": 3,
    },
    "badges": {
        "table": "badge",
        "through": [{"table": "item_badge", "on": {"id": "item"}}],
        "on": {"badge": "id"},
        "columns": ["label"],
        "many": True,
    },
}

_REMARKS, _BADGES, _REGIONS, _TENANTS = 400, 8, 3, 5


class RelatedChanges:
    """The random changes of one writer, as what they are and their SQL."""

    def __init__(self, chance: random.Random, stamp: str) -> None:
        """stamp: what writers set `updated_at` to."""
        self._chance = chance
        self._stamp = stamp
        self._kinds = [self._tenant, self._transfer, self._region, self._remark, self._remark, self._move_remark]
        self._kinds += [self._unremark, self._badge, self._grant, self._grant, self._revoke, self._close_region]

    def any(self, item: int, revision: int) -> tuple[str, str]:
        """Return a change; item: where it is of one."""
        return self._chance.choice(self._kinds)(item, revision)

    def _below(self, most: int) -> int:
        return self._chance.randrange(most)

    def _tenant(self, _item: int, revision: int) -> tuple[str, str]:
        name = f"'tenant {self._below(_TENANTS)}'"
        return "tenant", (
            f"INSERT INTO public.tenant VALUES ({name}, 'label {revision}', NULL, {self._stamp}) "
            "ON CONFLICT (name) DO UPDATE SET label = excluded.label, updated_at = excluded.updated_at"
        )

    def _transfer(self, _item: int, _revision: int) -> tuple[str, str]:
        region = f"(SELECT id FROM public.region WHERE id = {self._below(_REGIONS)})"
        return "region of tenant", (
            f"UPDATE public.tenant SET region = {region}, updated_at = {self._stamp} "
            f"WHERE name = 'tenant {self._below(_TENANTS)}'"
        )

    def _region(self, _item: int, revision: int) -> tuple[str, str]:
        return "region", (
            f"INSERT INTO public.region VALUES ({self._below(_REGIONS)}, 'region {revision}', {self._stamp}) "
            "ON CONFLICT (id) DO UPDATE SET label = excluded.label, updated_at = excluded.updated_at"
        )

    def _close_region(self, _item: int, _revision: int) -> tuple[str, str]:
        """Let tenants lose their region, which nothing stamps."""
        return "close region", f"DELETE FROM public.region WHERE id = {self._below(_REGIONS)}"

    def _remark(self, item: int, revision: int) -> tuple[str, str]:
        return "remark", (
            f"INSERT INTO public.remark VALUES ({self._below(_REMARKS)}, {item}, 'remark {revision}', {revision % 5}, "
            f"{self._stamp}) ON CONFLICT (id) DO UPDATE "
            "SET body = excluded.body, likes = excluded.likes, updated_at = excluded.updated_at"
        )

    def _move_remark(self, item: int, _revision: int) -> tuple[str, str]:
        return "move remark", (
            f"UPDATE public.remark SET item = {item}, updated_at = {self._stamp} WHERE id = {self._below(_REMARKS)}"
        )

    def _unremark(self, _item: int, _revision: int) -> tuple[str, str]:
        return "delete remark", f"DELETE FROM public.remark WHERE id = {self._below(_REMARKS)}"

    def _badge(self, _item: int, revision: int) -> tuple[str, str]:
        key = self._below(_BADGES)
        if self._chance.random() < 0.3:
            return "delete badge", f"DELETE FROM public.badge WHERE id = {key}"
        return "badge", (
            f"INSERT INTO public.badge VALUES ({key}, 'badge {revision}', {self._stamp}) "
            "ON CONFLICT (id) DO UPDATE SET label = excluded.label, updated_at = excluded.updated_at"
        )

    def _grant(self, item: int, _revision: int) -> tuple[str, str]:
        return "grant badge", (
            f"INSERT INTO public.item_badge SELECT {item}, id FROM public.badge WHERE id = {self._below(_BADGES)} "
            "ON CONFLICT DO NOTHING"
        )

    def _revoke(self, item: int, _revision: int) -> tuple[str, str]:
        if self._chance.random() < 0.5:
            return "revoke badge", f"DELETE FROM public.item_badge WHERE item = {item}"
        return "move badge", (
            f"UPDATE public.item_badge SET item = {item} WHERE item = {item + 1} "
            f"AND badge NOT IN (SELECT badge FROM public.item_badge WHERE item = {item})"
        )


def add_related(connection: psycopg.Connection[dict[str, Any]], rows: Mapping[int, dict[str, Any]]) -> None:
    """Add to items, by key, what `FIELDS` take from other tables."""

    def read(table: str, order: str) -> Sequence[dict[str, Any]]:
        return connection.execute(f"SELECT * FROM public.{table} ORDER BY {order}".encode()).fetchall()

    regions = {region["id"]: region["label"] for region in read("region", "id")}
    tenants = {tenant["name"]: tenant for tenant in read("tenant", "name")}
    labels = {badge["id"]: badge["label"] for badge in read("badge", "id")}
    remarks, badges = defaultdict(list), defaultdict(list)
    for remark in read("remark", "likes DESC NULLS LAST, id"):
        remarks[remark["item"]].append({"id": remark["id"], "body": remark["body"]})
    for each in read("item_badge", "badge"):
        badges[each["item"]].append(labels[each["badge"]])
    for key, row in rows.items():
        tenant = tenants.get(row["tenant"])
        region = regions.get(tenant["region"]) if tenant else None
        row["tenancy"] = tenant and {"label": tenant["label"], "region": region and {"label": region}}
        row["region"] = region
        row["remarks"] = remarks[key][:3]
        row["remark_count"] = len(remarks[key])
        row["badges"] = badges[key]
