"""Which role each index of the pipeline has."""

from __future__ import annotations

from syncer.core.index import Phase, Role
from syncer.ports import StateStore
from tests.contract.examples import BUILT, INDEX

#: Before a succession, and after it.
BEFORE = {INDEX: (Role.LIVE, Phase.NEW), BUILT: (Role.BUILDING, Phase.READY)}
AFTER = {INDEX: (Role.KEPT, Phase.KEPT), BUILT: (Role.LIVE, Phase.PUBLISHING)}


def roles(store: StateStore) -> dict[str, tuple[Role, Phase]]:
    return {record.name: (record.role, record.phase) for record in store.indices("items")}
