"""The statements that a pipeline runs on the source again and again, as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncer.adapters.postgres.documents import hydration_statement
from syncer.adapters.postgres.feed import page
from syncer.adapters.postgres.related_feed import readable_documents, readable_page
from syncer.adapters.postgres.sql import readable
from syncer.adapters.postgres.way_back import WayBack
from syncer.app.blueprint import Blueprint
from syncer.app.wiring import Application
from syncer.core.error import SyncerError


def statements(application: Application, names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """Return by pipeline what each statement is for, and the statement; none of a pipeline that cannot be drawn up."""
    found = {}
    for name in names:
        try:
            found[name] = _statements(application.blueprint(name))
        except SyncerError:
            # A finding tells why.
            continue
    return found


def _statements(plan: Blueprint) -> Mapping[str, str]:
    rows = plan.settings.poll.batch_rows
    found = {"documents of listed keys": hydration_statement(plan.table, plan.fields, plan.vectors, plan.routing)}
    for feed in plan.feeds:
        table = feed.table
        if table.watermark is not None:
            found[f"changes of {table}"] = readable(page(table, rows, after_key=True))
        for joins in feed.ways:
            related, way = joins[-1].table, WayBack(table, joins)
            if related.watermark is not None:
                found[f"changes of {related} by {way}"] = readable_page(table, joins, rows)
            found[f"documents of a row of {related} by {way}"] = readable_documents(table, joins, rows)
    return found
