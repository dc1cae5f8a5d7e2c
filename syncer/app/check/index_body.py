"""The body of the index that a pipeline would create, as Elasticsearch is asked for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncer.adapters.elastic.mapping import index_settings
from syncer.app.wiring import Application
from syncer.core.error import SyncerError


def index_bodies(application: Application, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """Return mappings and settings by pipeline, as they are once it is loaded; none of one that cannot be drawn up."""
    found = {}
    for name in names:
        try:
            plan = application.blueprint(name)
        except SyncerError:
            # A finding tells why.
            continue
        found[name] = {"settings": index_settings(plan.index), "mappings": plan.mapping}
    return found
