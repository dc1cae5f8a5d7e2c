"""How the index that a pipeline follows differs from its configuration, and what brings them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncer.app.blueprint import Blueprint
from syncer.core.course import Course, course
from syncer.core.definition import changes
from syncer.core.fingerprint import signature
from syncer.core.index import IndexRecord, Phase
from syncer.ports import StateStore


@dataclass(frozen=True, slots=True)
class Deviation:
    """An index that was built from another configuration."""

    #: A line each.
    differences: Sequence[str]
    #: What `syncer run` does about it, and whether it goes on.
    consequence: str
    goes_on: bool
    remedy: str


def deviation(store: StateStore, plan: Blueprint, record: IndexRecord) -> Deviation | None:
    """Return how an index differs from a pipeline's configuration. Raises StateUnavailable."""
    if not record.fingerprint:
        return None
    differences = changes(record, plan.fingerprint, plan.definition)
    if not differences:
        return None
    run = f"syncer run {plan.name}"
    refused = "syncer run refuses, for it cannot be changed in place"
    kept = [each for each in store.indices(plan.name) if each.phase is Phase.KEPT]
    same = next((each for each in kept if each.fingerprint == plan.fingerprint), None)
    taken = course(
        record,
        plan.fingerprint,
        grows=plan.grows_from(record.definition),
        rebuilds=plan.settings.on_change == "rebuild",
        kept=same is not None,
    )
    match taken:
        case Course.GROW:
            return Deviation(differences, "syncer run adds in place what is new, and fills it by a backfill", True, run)
        case Course.REBUILD:
            return Deviation(differences, "syncer run builds a new index, which takes its place", True, run)
        case Course.ROLL_BACK if same is not None:
            back = f"syncer rollback {plan.name}: index {same.name} was built from this configuration"
            return Deviation(differences, refused, False, back)
    if signature(plan.fingerprint) in record.superseded:
        refused = "syncer run refuses, for this configuration was replaced by that of the index"
    rebuild = f"syncer rebuild {plan.name}; or take the change back; or set pipelines.{plan.name}.on_change to rebuild"
    return Deviation(differences, refused, False, rebuild)
