"""What a pipeline is made of, and whether it only adds to what an index was built from, on a real database."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.app.blueprint import Blueprint, draw_up
from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.pipeline_table import pipeline_feeds, pipeline_fields, pipeline_table
from syncer.app.pipeline_vectors import pipeline_vectors
from syncer.core.error import SourceUnavailable
from tests.app.deployment import Deployment

DrawUp = Callable[..., Blueprint]

MODEL = {"model": "acme/mini", "revision": "1", "backend": "torch", "quantisation": "float32"}
FIELDS = {"title": {"type": "text"}, "price": "keyword"}
TEMPLATE = {"text": "{title}"}


@pytest.fixture
def drawn(deployment: Deployment) -> DrawUp:
    """Draws up a pipeline of the table `articles`, as it is now."""

    def draw(**settings: Any) -> Blueprint:
        parsed = PipelineSettings.model_validate({"table": "articles", "fields": FIELDS, **settings})
        session = Session(
            deployment.postgres_url, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable
        )
        try:
            table = pipeline_table(session, "articles", parsed)
            fields = pipeline_fields(session, "articles", parsed, table)
            feeds = pipeline_feeds(session, "articles", parsed, table, fields)
        finally:
            session.close()
        vectors = pipeline_vectors("articles", parsed, fields, lambda: 4)
        return draw_up("articles", parsed, "articles", table, feeds, fields, vectors, MODEL if vectors else None)

    return draw


def test_a_definition_is_the_same_each_time_and_after_the_state(drawn: DrawUp) -> None:
    """Which keeps it as JSON; all that decides on what an index holds is in it."""
    plan = drawn(embedding=TEMPLATE, where="price > '1'")
    assert plan.definition == drawn(embedding=TEMPLATE, where="price > '1'").definition
    assert json.loads(json.dumps(plan.definition)) == plan.definition
    assert list(plan.definition) == ["alias", "mapping", "settings", "hydration", "embedding"]
    assert plan.definition["embedding"] == {**MODEL, "template": "{title}"}
    assert plan.definition["hydration"]["fields"] == [["title", '"title"'], ["price", '"price"']]
    assert plan.definition["hydration"]["session"]["TimeZone"] == "UTC"
    assert plan.fingerprint.keys() == plan.definition.keys()


def test_what_can_change_in_place_is_no_part_of_it(drawn: DrawUp) -> None:
    """Replicas, the refresh interval, how it is polled, weights for searches."""
    plan = drawn()
    for settings in (
        {"index": {"replicas": 2}},
        {"index": {"refresh_interval": "5s"}},
        {"poll": {"interval": "5s"}},
        {"fields": {**FIELDS, "title": {"type": "text", "boost": 3}}},
        {"on_change": "rebuild", "retention": {"indices": 3, "age": "14d"}},
    ):
        assert drawn(**settings).definition == plan.definition


@pytest.mark.parametrize(
    "settings",
    [
        {"fields": {**FIELDS, "id": "long"}},
        {"fields": {"id": "long", **FIELDS}},
        {"fields": {**FIELDS, "title": {"type": "text", "keyword": True}}},
        {"fields": {**FIELDS, "title": {"type": "text", "autocomplete": True}}},
        {"embedding": TEMPLATE},
        {"embedding": {"text": "{title} {id}"}, "fields": {**FIELDS, "id": "long"}},
        {"fields": dict(reversed(FIELDS.items()))},
    ],
)
def test_additions_grow(settings: dict[str, Any], drawn: DrawUp) -> None:
    """Fields, wherever they stand; sub-fields; the first embedding, of new fields too. Never back."""
    built, plan = drawn(), drawn(**settings)
    assert plan.fingerprint != built.fingerprint
    assert plan.grows_from(built.definition)
    assert built.grows_from(plan.definition) == (plan.mapping == built.mapping)


@pytest.mark.parametrize(
    "settings",
    [
        {"where": "price <> ''"},
        {"routing": "price"},
        {"key": ["id", "title"]},
        {"index": {"shards": 2}},
        {"index": {"settings": {"analysis.analyzer.mine.type": "standard"}}},
        {"fields": {**FIELDS, "price": {"type": "keyword", "column": "title"}}},
        {"fields": {**FIELDS, "title": {"type": "text", "analyzer": "german"}}},
    ],
)
def test_changes_do_not_grow(settings: dict[str, Any], drawn: DrawUp) -> None:
    """Also where a field is added beside them."""
    built = drawn().definition
    fields = settings.pop("fields", FIELDS)
    assert not drawn(fields=fields, **settings).grows_from(built)
    assert not drawn(fields={**fields, "id": "long"}, **settings).grows_from(built)


def test_another_embedding_does_not_grow(drawn: DrawUp) -> None:
    """Neither another text nor another model."""
    built = drawn(embedding=TEMPLATE)
    assert not drawn(embedding={"text": "{price}"}).grows_from(built.definition)
    other = {**built.definition, "embedding": {**built.definition["embedding"], "revision": "2"}}
    assert not replace(built, definition=other).grows_from(built.definition)


def test_what_texts_are_cut_to_decides_on_the_index(drawn: DrawUp) -> None:
    """Neither the definition of one text that is not cut, nor the fingerprint of its index, knows of it."""
    built = drawn(embedding=TEMPLATE)
    assert drawn(embedding=[TEMPLATE]).definition == built.definition
    cut = drawn(embedding={**TEMPLATE, "chunk": {"tokens": 64, "overlap": 8}})
    assert cut.definition["embedding"]["chunk"] == {"tokens": 64, "overlap": 8, "pool": None}
    for chunk in (
        {"tokens": 64, "overlap": 9},
        {"tokens": 65, "overlap": 8},
        {"tokens": 64, "overlap": 8, "pool": "mean"},
    ):
        changed = drawn(embedding={**TEMPLATE, "chunk": chunk})
        assert changed.fingerprint != cut.fingerprint
        assert not changed.grows_from(cut.definition)
    near = drawn(embedding={**TEMPLATE, "similarity": "dot_product"})
    assert near.definition["embedding"] == built.definition["embedding"]
    assert not near.grows_from(built.definition)


def test_a_further_embedding_grows(drawn: DrawUp) -> None:
    """Behind those that there are, and of new fields too; in front of them it would change what they are called."""
    built = drawn(embedding=TEMPLATE)
    other = {"text": "{price} {id}", "field": "other", "chunk": {}}
    fields = {**FIELDS, "id": "long"}
    two = drawn(embedding=[TEMPLATE, other], fields=fields)
    assert two.grows_from(built.definition)
    assert two.grows_from(drawn().definition)
    assert not built.grows_from(two.definition)
    assert not drawn(embedding=[other, TEMPLATE], fields=fields).grows_from(built.definition)
    three = drawn(embedding=[TEMPLATE, other, {"text": "{price}", "field": "third"}], fields=fields)
    assert three.grows_from(two.definition)
    assert not three.grows_from(drawn(embedding=[TEMPLATE, {**other, "text": "{price}"}], fields=fields).definition)


def test_a_column_of_another_type_does_not_grow(deployment: Deployment, drawn: DrawUp) -> None:
    """Its values are written in another way, though no setting has changed."""
    built = drawn().definition
    deployment.sql("ALTER TABLE articles ALTER price TYPE char(9)")
    assert not drawn(fields={**FIELDS, "id": "long"}).grows_from(built)
