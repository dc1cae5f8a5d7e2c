"""A pipeline's index: would Elasticsearch take it, and is the one that is there the right one."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.app.blueprint import Blueprint
from syncer.app.building import building
from syncer.app.check.finding import Finding, Severity, info
from syncer.app.check.lifecycle import check_lifecycle, check_policy
from syncer.app.check.placement import check_placement
from syncer.app.deviation import deviation
from syncer.app.exit_code import ExitCode
from syncer.app.straying import straying
from syncer.app.wiring import Application
from syncer.core.index import IndexRecord, Phase
from syncer.engine.attach import prove_index

#: What Elasticsearch sets where a disk is full.
_FULL = "index.blocks.read_only_allow_delete"
_FULL_REMEDY = "a disk is beyond the flood stage, see `syncer cluster`: make room, or add disk; it goes by itself"
#: All other blocks refuse writes.
_REFUSED = {"index.blocks.read": "searches of", "index.blocks.metadata": "to show"}
_OUT = "what it holds can be neither searched nor written"


def check_mapping(
    application: Application, plan: Blueprint, alias: str, record: IndexRecord | None
) -> Iterator[Finding]:
    """Create an index with the pipeline's mapping and settings, look at it, and delete it."""
    indices = ElasticIndices(application.elasticsearch, plan.mapping, plan.index)
    # Under the same prefix as the real ones, which privileges are granted for.
    name = f"{alias}-check-{uuid4().hex[:8]}"
    try:
        indices.create(name, {"pipeline": plan.name})
        yield info(f"pipelines.{plan.name}.fields", f"Elasticsearch takes the mapping of {len(plan.fields)} fields")
        indices.restore(name)
        yield from check_placement(plan, indices.health(name))
        yield from check_lifecycle(application, plan, name)
    finally:
        indices.delete(name)
    if record is None or record.phase is not Phase.LIVE or record.alias != alias:
        # Else it is the live index's, and looked at with that.
        indices.prove_alias(alias, plan.name)


def check_building(application: Application, plan: Blueprint) -> Iterator[Finding]:
    """Tell of an index that is to take the live one's place."""
    found = building(application.store, plan.name)
    if found is None:
        return
    yield Finding(
        Severity.WARNING if found.abandoned else Severity.INFO,
        f"pipelines.{plan.name}.index",
        found.what,
        "tombstones are kept for as long as it is there",
        found.remedy,
        exit_code=ExitCode.REMAINDER if found.abandoned else ExitCode.DONE,
    )


def check_index(application: Application, plan: Blueprint, record: IndexRecord | None) -> Iterator[Finding]:
    """Compare the index that the pipeline follows with its configuration and its state."""
    if record is None or record.identity is None:
        yield info(f"pipelines.{plan.name}.index", f"not created yet: syncer run {plan.name}")
        return
    pipeline = application.build(plan)
    server = ElasticIndices(application.elasticsearch, plan.mapping, plan.index)
    refused = list(refusals(server, record.name, f"pipelines.{plan.name}.index"))
    yield from refused
    if refused and refused[-1].what == _closed(record.name):
        return  # nothing else can be seen of it
    prove_index(pipeline, record)
    if record.phase is Phase.LIVE and (stray := straying(pipeline.indices, record)):
        yield Finding(
            Severity.ERROR,
            f"pipelines.{plan.name}.index.alias",
            stray.what,
            "syncer run goes on with its index",
            stray.remedy,
        )
    found = deviation(application.store, plan, record)
    if found is None:
        filling = ", and a backfill has still to fill the fields that were added" if record.filling else ""
        yield info(f"pipelines.{plan.name}.index", f"{record.name}, {record.phase.value}{filling}")
    else:
        yield Finding(
            Severity.INFO if found.goes_on else Severity.ERROR,
            f"pipelines.{plan.name}",
            f"index {record.name} was built from another configuration: {'; '.join(found.differences)}",
            found.consequence,
            found.remedy,
            exit_code=ExitCode.DONE if found.goes_on else ExitCode.REMAINDER,
        )
    yield from check_policy(application, plan, record)


def refusals(server: ElasticIndices, index: str, setting: str) -> Iterator[Finding]:
    """Say what the server refuses to do with an index, and why; last, that it is closed. Raises SinkUnavailable."""
    blocks = server.blocks(index)
    for block in blocks:
        yield Finding(
            Severity.ERROR,
            setting,
            f"Elasticsearch refuses {_REFUSED.get(block, 'writes to')} index {index}: {block}",
            "nobody can search it" if block in _REFUSED else "documents are put off, and the index falls behind",
            _FULL_REMEDY
            if block == _FULL
            else f'somebody has set it; take it off: PUT /{index}/_settings {{"{block}": null}}',
        )
    if any(block in _REFUSED for block in blocks):
        return
    found = server.statistics([index]).get(index)
    if found is not None and found.health == "red":
        yield Finding(
            Severity.ERROR,
            setting,
            f"index {index} is red: a primary shard is away",
            _OUT,
            "ask Elasticsearch why: GET /_cluster/allocation/explain; syncer goes on when it is back",
        )
    if found is not None and found.health == "closed":
        remedy = f"open it: POST /{index}/_open; then start syncer run again"
        yield Finding(Severity.ERROR, setting, _closed(index), _OUT, remedy)


def _closed(index: str) -> str:
    return f"index {index} is closed"
