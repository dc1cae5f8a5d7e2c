"""A pipeline's index: would Elasticsearch take it, and is the one that is there the right one."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.app.check.finding import Finding, info
from syncer.app.wiring import Application, Blueprint
from syncer.engine.attach import prove_fingerprint, prove_index


def check_mapping(application: Application, plan: Blueprint, alias: str) -> Iterator[Finding]:
    """Create an index with the pipeline's mapping, and delete it."""
    indices = ElasticIndices(application.elasticsearch, plan.mapping, plan.index)
    # Under the same prefix as the real ones, which privileges are granted for.
    name = f"{alias}-check-{uuid4().hex[:8]}"
    try:
        indices.create(name, {"pipeline": plan.name})
    finally:
        indices.delete(name)
    yield info(f"pipelines.{plan.name}.fields", f"Elasticsearch takes the mapping of {len(plan.fields)} fields")
    indices.prove_alias(alias, plan.name)


def check_index(application: Application, plan: Blueprint) -> Iterator[Finding]:
    """Compare the index that the pipeline follows with its configuration and its state."""
    record = application.store.index(plan.name)
    if record is None or record.identity is None:
        yield info(f"pipelines.{plan.name}.index", f"not created yet: syncer run {plan.name}")
        return
    pipeline = application.build(plan)
    prove_index(pipeline, record)
    prove_fingerprint(pipeline, record)
    yield info(f"pipelines.{plan.name}.index", f"{record.name}, {record.phase.value}")
