"""Names that are taken, by an alias or an index, before, while and after syncer uses them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from elasticsearch import ApiError, Elasticsearch

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.error import ConfigurationError, IndexMissing
from syncer.core.index import Targets, write_alias
from tests.adapters.elastic.examples import META, a_document, behind, indices_of
from tests.conftest import Elastic

OTHERS = {**META, "pipeline": "others"}


@pytest.fixture
def indices(elastic: Elastic) -> ElasticIndices:
    return indices_of(elastic, replicas=0)


@pytest.fixture
def alias(index_prefix: str) -> str:
    return f"{index_prefix}-all"


@pytest.fixture
def name(indices: ElasticIndices, index_prefix: str) -> str:
    """An index that was never published."""
    name = f"{index_prefix}-1"
    indices.create(name, META)
    return name


def fill(elastic: Elastic, index: str, documents: int) -> None:
    lines = [line for n in range(documents) for line in ({"index": {"_id": str(n)}}, {"title": "one"})]
    assert not elastic.client.bulk(index=index, operations=lines)["errors"]


class Searches:
    """What searches of an alias have found, one after the other; errors among them."""

    def __init__(self) -> None:
        self.found: list[int | ApiError] = []
        self._changed = threading.Condition()

    def add(self, found: int | ApiError) -> None:
        with self._changed:
            self.found.append(found)
            self._changed.notify()

    def wait_for(self, more: int) -> None:
        with self._changed:
            wanted = len(self.found) + more
            assert self._changed.wait_for(lambda: len(self.found) >= wanted, timeout=30)


@contextmanager
def searching(elastic: Elastic, alias: str) -> Iterator[Searches]:
    """Search all the time, on a thread of its own."""
    searches, ended = Searches(), threading.Event()

    def search() -> None:
        while not ended.is_set():
            try:
                answer = elastic.client.search(index=alias, size=0, track_total_hits=True)
                assert answer["_shards"]["failed"] == 0
                searches.add(answer["hits"]["total"]["value"])
            except ApiError as error:
                searches.add(error)

    thread = threading.Thread(target=search)
    thread.start()
    try:
        searches.wait_for(1)
        yield searches
    finally:
        ended.set()
        thread.join()


def test_searches_never_fail_and_never_see_less_while_an_index_is_published(
    elastic: Elastic, indices: ElasticIndices, index_prefix: str, alias: str
) -> None:
    """Each index holds one document more than the one before, none of them searchable before it is published."""
    names = [f"{index_prefix}-{number}" for number in range(12)]
    for documents, index in enumerate(names, start=10):
        indices.create(index, META)
        fill(elastic, index, documents)
    indices.publish(names[0], alias)
    with searching(elastic, alias) as searches:
        for index in names[1:]:
            indices.publish(index, alias)
            searches.wait_for(3)
    totals = [total for total in searches.found if isinstance(total, int)]
    assert totals == searches.found
    assert totals == sorted(totals)
    assert set(totals) == set(range(10, 22))


def test_searches_go_on_while_an_index_makes_way_for_the_alias(
    elastic: Elastic, indices: ElasticIndices, name: str, alias: str
) -> None:
    """Its name never stands for nothing, and never for less."""
    fill(elastic, alias, 10)
    elastic.client.indices.refresh(index=alias)
    fill(elastic, name, 12)
    with searching(elastic, alias) as searches:
        indices.publish(name, alias, take_over=True)
        searches.wait_for(3)
    assert set(map(str, searches.found)) == {"10", "12"}
    assert searches.found[-1] == 12


def test_the_alias_takes_writes_and_reads_of_one_index(
    elastic: Elastic, indices: ElasticIndices, index_prefix: str, alias: str
) -> None:
    """Also where it pointed to two indices of this pipeline, and writes went to none of them."""
    for number in (1, 2, 3):
        indices.create(f"{index_prefix}-{number}", META)
    elastic.client.indices.put_alias(index=f"{index_prefix}-1,{index_prefix}-2", name=alias)
    assert indices.targets(alias) == Targets({f"{index_prefix}-1": False, f"{index_prefix}-2": False})
    indices.prove_alias(alias, "articles")
    indices.publish(f"{index_prefix}-3", alias)
    assert indices.targets(alias).just(f"{index_prefix}-3")
    elastic.client.index(index=alias, document={"title": "through the alias"}, refresh=True)
    assert indices.count(f"{index_prefix}-3") == 1
    assert behind(elastic, write_alias(f"{index_prefix}-1")) == {f"{index_prefix}-1"}


@pytest.mark.parametrize(("flag", "writes"), [(None, True), (True, True), (False, False)])
def test_an_index_that_is_alone_behind_an_alias_takes_its_writes_unless_told_not_to(
    elastic: Elastic, indices: ElasticIndices, name: str, alias: str, flag: bool | None, writes: bool
) -> None:
    """So does Elasticsearch, where nothing is said."""
    elastic.client.indices.put_alias(index=name, name=alias, is_write_index=flag)
    assert indices.targets(alias) == Targets({name: writes})


def refusals(indices: ElasticIndices, name: str, alias: str) -> list[Callable[[], None]]:
    """Return the calls that leave to others what is theirs."""
    return [lambda: indices.prove_alias(alias, "articles"), lambda: indices.publish(name, alias)]


@pytest.mark.parametrize(("meta", "said"), [(OTHERS, "of pipeline 'others'"), (None, "that syncer did not create")])
def test_an_alias_of_others_is_taken_only_when_asked(
    elastic: Elastic, indices: ElasticIndices, name: str, alias: str, index_prefix: str, meta: object, said: str
) -> None:
    """The message names the index, and the hint how to take the alias from it, which is all that it loses."""
    other = f"{index_prefix}-2"
    elastic.client.indices.create(index=other, mappings={"_meta": {"syncer": meta}} if meta else {})
    elastic.client.indices.update_aliases(
        actions=[
            {"add": {"indices": [other, name], "alias": alias}},
            {"add": {"index": other, "alias": f"{other}-own"}},
        ]
    )
    for refused in refusals(indices, name, alias):
        with pytest.raises(ConfigurationError, match=f"points to index {other} {said}") as error:
            refused()
        assert "syncer promote articles --take-over, or where none is built yet: " in error.value.hint
        assert "syncer rebuild articles --take-over" in error.value.hint
        assert "stays as it is otherwise" in error.value.hint
        assert behind(elastic, alias) == {other, name}
    indices.publish(name, alias, take_over=True)
    assert indices.targets(alias).just(name)
    assert behind(elastic, f"{other}-own") == {other}


def test_a_hidden_or_closed_index_behind_the_alias_is_seen(
    elastic: Elastic, indices: ElasticIndices, name: str, alias: str, index_prefix: str
) -> None:
    """Searches would find the one, and fail because of the other."""
    others = [f"{index_prefix}-hidden", f"{index_prefix}-closed"]
    elastic.client.indices.create(index=others[0], settings={"hidden": True}, aliases={alias: {}})
    elastic.client.indices.create(index=others[1], aliases={alias: {}})
    elastic.client.indices.close(index=others[1])
    assert indices.targets(alias) == Targets(dict.fromkeys(others, False))
    indices.publish(name, alias, take_over=True)
    assert indices.targets(alias).just(name)


def test_an_index_called_like_the_alias_is_deleted_only_when_asked(
    elastic: Elastic, indices: ElasticIndices, name: str, alias: str
) -> None:
    """It was created by the first document that somebody sent there, or by another tool; the hint says what is lost."""
    elastic.client.index(index=alias, document={"title": "auto-created"})
    for refused in refusals(indices, name, alias):
        with pytest.raises(ConfigurationError, match=f"{alias} is the name of an index") as error:
            refused()
        assert "which deletes it: syncer promote articles --take-over" in error.value.hint
        assert indices.targets(alias) == Targets({}, is_index=True)
    indices.publish(name, alias, take_over=True)
    assert indices.targets(alias).just(name)


def test_an_auto_created_index_of_the_physical_name_is_not_written_to(
    elastic: Elastic, indices: ElasticIndices, index_prefix: str
) -> None:
    """Its mapping was guessed from a document."""
    elastic.client.index(index=f"{index_prefix}-1", document={"title": "auto-created"})
    with pytest.raises(ConfigurationError, match=f"that syncer did not create is called {index_prefix}-1") as refused:
        indices.create(f"{index_prefix}-1", META)
    assert f"DELETE /{index_prefix}-1" in refused.value.hint


def test_an_auto_created_index_of_the_write_aliass_name_is_in_the_way(real_elastic: Elastic, index_prefix: str) -> None:
    """Nothing is left behind. noida-db lets an alias and an index have one name."""
    taken = write_alias(f"{index_prefix}-1")
    real_elastic.client.index(index=taken, document={"title": "auto-created"})
    with pytest.raises(ConfigurationError, match=f"{taken} is the name of an index") as refused:
        indices_of(real_elastic).create(f"{index_prefix}-1", META)
    assert f"DELETE /{taken}" in refused.value.hint
    assert not real_elastic.client.indices.exists(index=f"{index_prefix}-1")


def test_a_template_that_lets_searches_find_a_new_index_is_refused(
    elastic: Elastic, indices: ElasticIndices, index_prefix: str, alias: str
) -> None:
    """The index is half loaded for as long as the load takes; nothing is left behind the alias."""
    elastic.client.indices.put_index_template(
        name=index_prefix, index_patterns=[f"{index_prefix}-*"], priority=1000, template={"aliases": {alias: {}}}
    )
    try:
        with pytest.raises(ConfigurationError, match=f"template .* the alias {alias}"):
            indices.create(f"{index_prefix}-1", META)
    finally:
        elastic.client.indices.delete_index_template(name=index_prefix)
    assert indices.targets(alias) == Targets({})


def lose_alias(client: Elasticsearch, name: str) -> None:
    client.indices.delete_alias(index=name, name=write_alias(name))


def lose_index(client: Elasticsearch, name: str) -> None:
    client.indices.delete(index=name)


def exchange(client: Elasticsearch, name: str) -> None:
    """As somebody's bulk without `require_alias` would, after the index was deleted."""
    client.indices.delete(index=name)
    client.index(index=write_alias(name), document={"title": "auto-created"})


@pytest.mark.parametrize("lose", [lose_alias, lose_index, exchange])
def test_a_bulk_to_a_write_alias_that_is_gone_creates_nothing(
    elastic: Elastic, name: str, index_prefix: str, lose: Callable[[Elasticsearch, str], None]
) -> None:
    """† Nor does it write to an index that has the name now; the index is missed when it is looked at, too."""
    lose(elastic.client, name)
    before = elastic.client.indices.get(index=f"{index_prefix}*").body
    with pytest.raises(IndexMissing, match=write_alias(name)):
        ElasticSink(elastic.client, write_alias(name)).write([a_document("1"), a_document("2")])
    with pytest.raises(IndexMissing):
        indices_of(elastic).identity(name)
    assert elastic.client.indices.get(index=f"{index_prefix}*").body == before
    if before:
        elastic.client.indices.refresh(index=f"{index_prefix}*")
        assert elastic.client.count(index=f"{index_prefix}*", query={"ids": {"values": ["1", "2"]}})["count"] == 0
