"""The index that is to take the place of a pipeline's live one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncer.adapters.postgres.state import PostgresStateStore
from syncer.core.index import IndexRecord, Phase, Role


@dataclass(frozen=True, slots=True)
class Building:
    """An index in the role `building`."""

    record: IndexRecord
    #: Who builds it, or follows it while it waits; None: nobody.
    holder: str | None

    @property
    def waits(self) -> bool:
        return self.record.phase is Phase.READY

    @property
    def abandoned(self) -> bool:
        """Tell whether it is not finished, and nobody is at it."""
        return not self.waits and self.holder is None

    @property
    def what(self) -> str:
        name, phase = self.record.name, self.record.phase.value
        if self.waits:
            return f"index {name} waits to be promoted"
        if self.abandoned:
            return f"index {name} is not finished ({phase}), and nobody builds it"
        return f"index {name} is being built ({phase})"

    @property
    def remedy(self) -> str:
        """Return the commands that go on with it, and that give it up; none while somebody builds it."""
        pipeline = self.record.pipeline
        if not (self.waits or self.abandoned):
            return ""
        go_on = f"syncer promote {pipeline}" if self.waits else f"go on with it: syncer rebuild {pipeline}"
        return f"{go_on}; or delete it: syncer rebuild {pipeline} --abandon"

    def document(self) -> Mapping[str, Any]:
        return {"index": self.record.name, "phase": self.record.phase.value, "holder": self.holder}


def building(store: PostgresStateStore, pipeline: str) -> Building | None:
    """Return the index that is built, or waits; None: there is none. Raises StateUnavailable."""
    for record in store.indices(pipeline):
        if record.role is Role.BUILDING:
            holder = store.overview(record.name).holder
            return Building(record, str(holder) if holder else None)
    return None
