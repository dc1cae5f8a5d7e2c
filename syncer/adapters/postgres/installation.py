"""All triggers of a table, as the whole configuration needs them."""

from __future__ import annotations

from syncer.adapters.postgres.script import Script
from syncer.adapters.postgres.triggers import Surroundings, TombstoneTriggers
from syncer.adapters.postgres.wakeup_triggers import WakeupTriggers
from syncer.core.noted_table import NotedTable


def installation(noted: NotedTable, schema: str, around: Surroundings) -> Script:
    """Return what installs them. schema: of the tombstones."""
    tombstones = TombstoneTriggers(noted.table, schema, noted.columns).install(around)
    wakeups = WakeupTriggers(noted.table, schema)
    if noted.wakes:
        return tombstones + wakeups.install(around)
    # Not in any case: dropping a trigger keeps readers out too.
    return tombstones + wakeups.remove() if around.wakes else tombstones


def removal(noted: NotedTable, schema: str, around: Surroundings) -> Script:
    """Return what undoes `installation`."""
    tombstones = TombstoneTriggers(noted.table, schema, noted.columns).remove()
    # First: the schema goes with its last trigger.
    return WakeupTriggers(noted.table, schema).remove() + tombstones if around.wakes else tombstones
