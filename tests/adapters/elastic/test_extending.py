"""Fields that are added to an index in place."""

from __future__ import annotations

import pytest
from elasticsearch import BadRequestError

from syncer.core.error import ConfigurationError
from syncer.core.field import Field
from tests.adapters.elastic.examples import KINDS, META, indices_of, versions_of
from tests.conftest import Elastic


def test_an_index_takes_new_fields_and_sub_fields(elastic: Elastic, index_prefix: str) -> None:
    """What it has stays as it is, documents too; what is not declared is refused as before."""
    name = f"{index_prefix}-1"
    author = {"properties": {"name": {"type": "keyword"}}}
    indices_of(elastic, [Field("title", "title", "text"), Field("author", "author", "object", options=author)]).create(
        name, META
    )
    elastic.client.index(index=name, id="1", document={"title": "one", "author": {"name": "a"}})
    longer = {"properties": {"name": {"type": "keyword"}, "country": {"type": "keyword"}}}
    indices = indices_of(
        elastic,
        [
            Field("title", "title", "text", keyword=True),
            Field("author", "author", "object", options=longer),
            Field("n", "n", "long"),
        ],
    )
    indices.extend(name, {**META, "fingerprint": {"mapping": "2"}})
    assert indices.meta(name) == {**META, "fingerprint": {"mapping": "2"}}
    new = {"title": "two", "author": {"name": "b", "country": "AT"}, "n": 2}
    elastic.client.index(index=name, id="2", document=new, refresh=True)
    for query in ({"term": {"title.keyword": "two"}}, {"term": {"author.country": "AT"}}, {"term": {"n": 2}}):
        assert elastic.client.count(index=name, query=query)["count"] == 1
    assert elastic.client.count(index=name)["count"] == 2
    for unknown in ({"other": 1}, {"author": {"other": 1}}):
        with pytest.raises(BadRequestError, match="strict"):
            elastic.client.index(index=name, document=unknown)


def test_extending_again_changes_nothing(elastic: Elastic, index_prefix: str) -> None:
    """Whatever kinds of fields there are: the whole mapping is sent, and Elasticsearch sees that it has it."""
    name = f"{index_prefix}-1"
    indices = indices_of(elastic, KINDS)
    indices.create(name, META)
    indices.build_graphs(name)
    indices.restore(name)
    made = elastic.client.indices.get_mapping(index=name)[name]
    before = versions_of(elastic, name)
    indices.extend(name, META)
    assert elastic.client.indices.get_mapping(index=name)[name] == made
    assert versions_of(elastic, name) == before


def test_an_index_that_cannot_grow_is_refused(real_elastic: Elastic, index_prefix: str) -> None:
    """With Elasticsearch's reason and the command; the index, its meta too, stays as it was.

    noida-db changes an analyzer as if it could.
    """
    name = f"{index_prefix}-1"
    indices_of(real_elastic).create(name, META)
    for field, said in (
        (Field("title", "title", "keyword"), r"cannot be changed from type \[text\] to \[keyword\]"),
        (Field("title", "title", "text", analyzer="german"), r"Cannot update parameter \[analyzer\]"),
        (Field("new", "new", "nonsense"), "nonsense"),
    ):
        with pytest.raises(ConfigurationError, match=said) as refused:
            indices_of(real_elastic, [field]).extend(name, {**META, "fingerprint": {"mapping": "2"}})
        assert "syncer rebuild articles" in refused.value.hint
    assert indices_of(real_elastic).meta(name) == META
