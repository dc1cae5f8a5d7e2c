"""Numbers against a real index: what it forgets, and what somebody else has written there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.memory.source import MemoryDocuments
from syncer.core.change import Document, Draft, Removal, Write
from syncer.core.field import Field
from syncer.core.index import write_alias
from syncer.core.outcome import Applied, Outcome, Stale
from syncer.engine.deliver import Delivery, Draw
from tests.builders import World, a_world
from tests.conftest import Elastic

KEY = ("1",)
#: Far above any clock in µs.
FOREIGN = 10**18


def a_document(version: int) -> Document:
    return Document(Draft(KEY, '{"n":0}', 0, {}), {}, version)


@pytest.fixture(name="index")
def _index(elastic: Elastic, index_prefix: str) -> str:
    name = f"{index_prefix}-1"
    ElasticIndices(elastic.client, mapping([Field("n", "n", "long")], []), IndexSettings(replicas=0)).create(name, {})
    return name


@pytest.fixture(name="sink")
def _sink(elastic: Elastic, index: str) -> ElasticSink:
    return ElasticSink(elastic.client, write_alias(index))


def restart_shards(elastic: Elastic, index: str) -> None:
    """As a restart of the node or a relocation would."""
    elastic.client.indices.close(index=index)
    elastic.client.indices.open(index=index)
    elastic.client.cluster.health(index=index, wait_for_status="green", timeout="30s")


def found(elastic: Elastic, index: str) -> int | None:
    """Return `n` of the document, or None."""
    answer = elastic.client.options(ignore_status=404).get(index=index, id="1")
    return int(answer["_source"]["n"]) if answer["found"] else None


def delivery(world: World, index: str, sink: object, *, draw: Draw, recheck_created: bool) -> Delivery:
    world.worker().run_once()
    pipeline = replace(world.pipeline, sink=lambda _: sink)  # type: ignore[arg-type, return-value]
    return pipeline.delivery(
        MemoryDocuments(world.table), world.record.name, world.store, draw=draw, recheck_created=recheck_created
    )


def test_an_older_write_is_refused_after_a_delete_until_the_shard_restarts(
    real_elastic: Elastic, index: str, sink: ElasticSink
) -> None:
    """† Why a write that created a document is looked at again: its number alone does not keep a deleted one away."""
    assert sink.write([a_document(100)]) == [Applied(created=True)]
    assert sink.write([Removal(KEY, 200)]) == [Applied()]
    assert sink.write([a_document(150)]) == [Stale(200)]
    restart_shards(real_elastic, index)
    assert sink.write([a_document(150)]) == [Applied(created=True)]


def test_a_resync_that_revives_a_deleted_row_takes_it_back(
    real_elastic: Elastic, index: str, sink: ElasticSink
) -> None:
    """† The row was deleted, and its shard restarted, while the write was on its way."""
    world = a_world()
    world.table.put(KEY, n=1)

    class Delayed:
        """Sends a first write only when the row is gone and the poller's removal has been forgotten."""

        def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
            if isinstance(writes[0], Document):
                world.table.delete(KEY)
                assert sink.write([Removal(KEY, writes[0].version + 1)]) == [Applied()]
                restart_shards(real_elastic, index)
                revived = sink.write(writes)
                assert revived == [Applied(created=True)]
                return revived
            return sink.write(writes)

    delivery(world, index, Delayed(), draw=Draw.BEFORE_HYDRATION, recheck_created=True).deliver([KEY])
    assert found(real_elastic, index) is None


def test_a_higher_version_that_somebody_else_wrote_is_overcome(elastic: Elastic, index: str, sink: ElasticSink) -> None:
    """† A conflict with a number that nobody can have drawn is no settled write: it is numbered above it."""
    sink.write([a_document(FOREIGN)])
    world = a_world()
    world.table.put(KEY, n=1)
    outcomes = delivery(world, index, sink, draw=Draw.AFTER_HYDRATION, recheck_created=False).deliver([KEY]).outcomes
    assert outcomes == {KEY: Applied()}
    assert found(elastic, index) == 1
    assert "somebody" in (world.record.verify_needed or "")


def test_a_higher_version_of_a_document_that_somebody_else_deleted_is_overcome(
    real_elastic: Elastic, index: str, sink: ElasticSink
) -> None:
    """† The document is not there to be asked for its version: the answer to the write names it."""
    sink.write([Removal(KEY, FOREIGN)])
    world = a_world()
    world.table.put(KEY, n=1)
    delivery(world, index, sink, draw=Draw.AFTER_HYDRATION, recheck_created=False).deliver([KEY])
    assert found(real_elastic, index) == 1
