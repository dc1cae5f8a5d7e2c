"""What must hold after every change while indices are built and swapped."""

from __future__ import annotations

from typing import Any

from syncer.adapters.memory.sink import MemoryIndex
from syncer.core.fingerprint import differences
from syncer.core.index import Phase, Role
from syncer.core.key import Key
from syncer.engine.pipeline import Pipeline
from tests.builders import World
from tests.engine.audit import Audit
from tests.engine.intercepted import Call
from tests.engine.rebuild_world import STABLE, MemoryLifecycle
from tests.engine.writers import Writers

#: No other call changes what searches find, or what the state says of the indices.
_CHANGING = ("indices.", "lease.succeed", "lease.update", "lifecycle.", "sink.", "store.forget", "store.register")


class Broken(AssertionError):
    """Searches found less than they must, or the state says what is not."""


class Promises:
    """Looks at the world after each call."""

    def __init__(self, world: World, writers: Writers, narrow: Writers, old: Pipeline) -> None:
        """narrow: what the old configuration sees of what the writers have done."""
        self._world = world
        self._writers = writers
        self._narrow = narrow
        self._old = old
        self._audits: dict[tuple[str, bool], Audit] = {}

    def checked(self, call: Call) -> Any:
        """Let the call happen; raises Broken where it leaves something that must not be."""
        before = self._world.indices.aliases.get("items")
        answer = call()
        after = self._world.indices.aliases.get("items")
        if before and after and before != after and (lost := self._found(before) - self._found(after)):
            raise Broken(f"searches found {sorted(lost)} in {before}, and not in {after}")
        if call.name == "lease.commit":
            self._hold_against_the_table(call)
        if call.name.startswith(_CHANGING) and (broken := self._broken()):
            raise Broken(f"after {call.name}: {broken}")
        return answer

    def audit(self, name: str) -> Audit:
        """Return the audit of an index, as the configuration sees the table that it was built from."""
        writers = self._writers_of(name)
        return self._audits.setdefault((name, writers is self._narrow), Audit(self._world, writers, name))

    def astray(self) -> list[str]:
        """Return records without index and indices without record; one that is not created yet is none."""
        records = {record.name: record.phase for record in self._world.store.indices()}
        there = set(self._world.indices.indices)
        gone = {name for name, phase in records.items() if phase is not Phase.NEW} - there
        return [*(f"no index {name}" for name in gone), *(f"no record of {name}" for name in there - records.keys())]

    def _hold_against_the_table(self, call: Call) -> None:
        """Find no row that a checkpoint of a complete index claims and the index lacks."""
        name = call.method.__self__.index
        record = self._world.store.named(name)
        if record is None or record.phase in (Phase.NEW, Phase.LOADING) or record.filling:
            return
        for feed, checkpoint in call.arguments[0].checkpoints.items():
            if found := self.audit(name).unsettled(feed, checkpoint.position):
                raise Broken(f"{name} lacks below {checkpoint.position}: {found}")

    def _found(self, name: str) -> set[Key]:
        """Return the rows of which an index holds what they are now."""
        truth = self._writers_of(name).truth()
        documents = self._world.indices.indices[name].documents()
        return {key for key, values in truth.items() if documents.get(key) == values}

    def _writers_of(self, name: str) -> Writers:
        record = self._world.store.named(name)
        assert record is not None
        return self._writers if differences(record.fingerprint, self._old.fingerprint) else self._narrow

    def _broken(self) -> str | None:
        indices, records = self._world.indices, self._world.store.indices()
        followed = [record for record in records if record.followed]
        if len(followed) > 1 or sum(record.role is Role.BUILDING for record in records) > 1:
            return f"roles: {[(record.name, record.role) for record in records]}"
        searched = indices.aliases.get("items")
        if not followed or followed[0].phase in (Phase.NEW, Phase.LOADING, Phase.LOADED):
            return searched and f"searches find {searched} and nothing is loaded"
        [live] = followed
        kept = {record.name for record in records if record.role is Role.KEPT}
        if searched != live.name and (live.phase is Phase.LIVE or searched not in {None, *kept}):
            return f"{live.name} is {live.phase}, and searches find {searched}"
        lifecycle = self._world.pipeline.lifecycle
        assert isinstance(lifecycle, MemoryLifecycle)
        if live.name in lifecycle.ageing:
            return f"its age would delete {live.name}"
        return _lacking(indices.indices[searched]) if searched else None


def _lacking(index: MemoryIndex) -> str | None:
    lacking = set(STABLE) - {hit.key for hit in index.hits()}
    if lacking:
        return f"searches do not find {sorted(lacking)}"
    return None if index.restored else "what is searched has the settings for loading"
