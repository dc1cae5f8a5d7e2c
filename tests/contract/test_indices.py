"""Physical indices and the alias, in their two forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.memory.sink import MemoryIndices, MemorySink
from syncer.core.change import Document, Draft
from syncer.core.error import ConfigurationError, IndexMissing
from syncer.core.field import Field
from syncer.core.index import Health, Targets, write_alias
from syncer.ports import Indices, Sink
from tests.conftest import Elastic

META = {"pipeline": "articles", "fingerprint": {"mapping": "1"}}
GROWN = {"pipeline": "articles", "fingerprint": {"mapping": "2"}}


@dataclass(frozen=True, slots=True)
class Names:
    """Those of one test."""

    prefix: str

    @property
    def alias(self) -> str:
        return f"{self.prefix}-all"

    def index(self, number: int) -> str:
        return f"{self.prefix}-{number}"


class MemoryWorld:
    """Indices in memory."""

    def __init__(self) -> None:
        self.names = Names("items")
        self._indices = MemoryIndices()
        self.indices: Indices = self._indices

    def sink(self, index: str) -> Sink:
        return MemorySink(self._indices.indices[index])

    def create_foreign(self, name: str) -> None:
        self._indices.foreign.add(name)


class ElasticWorld:
    """Indices on a server."""

    def __init__(self, elastic: Elastic, prefix: str) -> None:
        self.names = Names(prefix)
        self._client = elastic.client
        body = mapping([Field("n", "n", "long")], [])
        self.indices: Indices = ElasticIndices(elastic.client, body, IndexSettings(replicas=0))

    def sink(self, index: str) -> Sink:
        return ElasticSink(self._client, write_alias(index))

    def create_foreign(self, name: str) -> None:
        self._client.indices.create(index=name)


World = MemoryWorld | ElasticWorld


@pytest.fixture(name="world", params=["memory", "elastic"])
def _world(request: pytest.FixtureRequest) -> World:
    if request.param == "memory":
        return MemoryWorld()
    return ElasticWorld(request.getfixturevalue("elastic"), request.getfixturevalue("index_prefix"))


@pytest.fixture(name="indices")
def _indices(world: World) -> Indices:
    return world.indices


@pytest.fixture(name="names")
def _names(world: World) -> Names:
    return world.names


def test_an_index_is_created_once(indices: Indices, names: Names) -> None:
    """With the same meta a second time changes nothing; with another, or another's index, it is refused."""
    indices.create(names.index(1), META)
    identity = indices.identity(names.index(1))
    indices.create(names.index(1), META)
    assert indices.identity(names.index(1)) == identity
    with pytest.raises(ConfigurationError, match=names.index(1)):
        indices.create(names.index(1), GROWN)


def test_an_index_of_others_is_in_the_way(world: World, indices: Indices, names: Names) -> None:
    """It was not made for this."""
    world.create_foreign(names.index(1))
    with pytest.raises(ConfigurationError, match=names.index(1)):
        indices.create(names.index(1), META)


def test_an_extended_index_is_the_same_one_with_another_meta(indices: Indices, names: Names) -> None:
    """And a second time changes nothing."""
    indices.create(names.index(1), META)
    identity = indices.identity(names.index(1))
    indices.extend(names.index(1), GROWN)
    indices.extend(names.index(1), GROWN)
    indices.create(names.index(1), GROWN)
    assert indices.identity(names.index(1)) == identity
    with pytest.raises(ConfigurationError):
        indices.create(names.index(1), META)


def test_a_deleted_index_is_gone_and_another_one_when_made_anew(indices: Indices, names: Names) -> None:
    """Deleting it twice is harmless; the alias points nowhere then, and to the new one not by itself."""
    indices.create(names.index(1), META)
    identity = indices.identity(names.index(1))
    indices.publish(names.index(1), names.alias)
    indices.delete(names.index(1))
    indices.delete(names.index(1))
    assert indices.targets(names.alias) == Targets({})
    indices.create(names.index(1), META)
    assert indices.targets(names.alias) == Targets({})
    assert not indices.identity(names.index(1)).may_be(identity)


def test_a_missing_index_is_told(indices: Indices, names: Names) -> None:
    """Whatever is asked of it."""
    missing = names.index(1)
    asked: list[Any] = [
        lambda: indices.identity(missing),
        lambda: indices.extend(missing, META),
        lambda: indices.restore(missing),
        lambda: indices.health(missing),
        lambda: indices.publish(missing, names.alias),
        lambda: indices.publish(missing, names.alias, take_over=True),
    ]
    for ask in asked:
        with pytest.raises(IndexMissing, match=missing):
            ask()


def test_the_alias_points_to_the_index_published_last(indices: Indices, names: Names) -> None:
    """To it alone, for writes too; publishing again, and back, is as good."""
    for number in (1, 2):
        indices.create(names.index(number), META)
    indices.prove_alias(names.alias, "articles")
    assert indices.targets(names.alias) == Targets({})
    for number in (1, 2, 2, 1):
        indices.publish(names.index(number), names.alias)
        assert indices.targets(names.alias).just(names.index(number))
        indices.prove_alias(names.alias, "articles")


def test_the_alias_of_another_pipeline_is_taken_only_when_asked(indices: Indices, names: Names) -> None:
    """And then it is this pipeline's; the other index stays."""
    indices.create(names.index(1), {"pipeline": "others"})
    indices.publish(names.index(1), names.alias)
    indices.create(names.index(2), META)
    with pytest.raises(ConfigurationError, match=names.alias):
        indices.prove_alias(names.alias, "articles")
    with pytest.raises(ConfigurationError, match=names.alias):
        indices.publish(names.index(2), names.alias)
    assert indices.targets(names.alias).just(names.index(1))
    indices.publish(names.index(2), names.alias, take_over=True)
    assert indices.targets(names.alias).just(names.index(2))
    indices.identity(names.index(1))


def test_an_index_called_like_the_alias_is_deleted_only_when_asked(
    world: World, indices: Indices, names: Names
) -> None:
    """The alias takes its place."""
    world.create_foreign(names.alias)
    indices.create(names.index(1), META)
    with pytest.raises(ConfigurationError, match=names.alias):
        indices.prove_alias(names.alias, "articles")
    with pytest.raises(ConfigurationError, match=names.alias):
        indices.publish(names.index(1), names.alias)
    assert indices.targets(names.alias) == Targets({}, is_index=True)
    indices.publish(names.index(1), names.alias, take_over=True)
    assert indices.targets(names.alias).just(names.index(1))


def test_an_index_is_restored_and_healthy(indices: Indices, names: Names) -> None:
    """Where every copy has a place; restoring twice is harmless."""
    indices.create(names.index(1), META)
    indices.restore(names.index(1))
    indices.restore(names.index(1))
    assert indices.health(names.index(1)) == Health(green=True, yellow=True, moving=0, unassigned=0)


def test_statistics_leave_out_what_is_not_there(world: World, indices: Indices, names: Names) -> None:
    """Documents are counted once they are searchable."""
    for number in (1, 2):
        indices.create(names.index(number), META)
    world.sink(names.index(1)).write([Document(Draft(("1",), '{"n": 1}', 1, {}), {}, 100)])
    indices.publish(names.index(1), names.alias)
    found = indices.statistics([names.index(1), names.index(2), names.index(3)])
    assert {name: (index.documents, index.health) for name, index in found.items()} == {
        names.index(1): (1, "green"),
        names.index(2): (0, "green"),
    }
